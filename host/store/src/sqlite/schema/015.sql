-- Connections whose first sync a person looks at before it writes. While a review has not ended, a record that is not linked waits
-- until its bucket is approved. `walk` counts the reports, so that a page of an earlier one is not taken for one of this; `approved` is
-- a list of buckets; `basis` tells the mapping and the settings that the report was made with from others.
CREATE TABLE reviews (
    connection INTEGER PRIMARY KEY REFERENCES connections (pk),
    walk INTEGER NOT NULL,
    begun_at INTEGER NOT NULL,
    basis TEXT NOT NULL,
    approved TEXT NOT NULL,
    ended_at INTEGER
) STRICT;

-- What a sync would do with each record, by HighLevel's id where there is one. `told` is what a person reads. A record whose bucket is
-- approved is marked dirty once: `released`.
CREATE TABLE matches (
    connection INTEGER NOT NULL REFERENCES connections (pk),
    side INTEGER NOT NULL,
    record TEXT NOT NULL,
    partner TEXT,
    bucket TEXT NOT NULL,
    released INTEGER NOT NULL DEFAULT 0,
    at INTEGER NOT NULL,
    to_highlevel INTEGER NOT NULL,
    to_partner INTEGER NOT NULL,
    conflicts INTEGER NOT NULL,
    highlevel_calls INTEGER NOT NULL,
    partner_calls INTEGER NOT NULL,
    told TEXT NOT NULL,
    PRIMARY KEY (connection, side, record)
) STRICT, WITHOUT ROWID;
CREATE INDEX matches_by_bucket ON matches (connection, bucket, released);
CREATE INDEX matches_by_partner ON matches (connection, partner) WHERE partner IS NOT NULL;
CREATE INDEX matches_by_time ON matches (at);
