-- Pairs of records of which one is gone: what is waited for, what was done, and what is kept, sealed, to undo it. `state` and `policy`
-- are as the model has them. `marked` says that the record was marked for its second look, which is due at `due`.
CREATE TABLE deletions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    connection INTEGER NOT NULL REFERENCES connections (pk),
    entity TEXT NOT NULL,
    highlevel_id TEXT NOT NULL,
    partner_id TEXT NOT NULL,
    side INTEGER NOT NULL,
    state TEXT NOT NULL,
    policy TEXT NOT NULL,
    since INTEGER NOT NULL,
    due INTEGER NOT NULL,
    marked INTEGER NOT NULL DEFAULT 0,
    decided_by TEXT,
    acted_at INTEGER,
    undo_until INTEGER,
    ended_at INTEGER,
    outcome TEXT,
    key TEXT,
    sealed BLOB
) STRICT;
CREATE INDEX deletions_of_pair ON deletions (connection, highlevel_id, entity, id);
CREATE INDEX deletions_of_partner ON deletions (connection, partner_id, entity);
CREATE INDEX deletions_to_look ON deletions (due) WHERE state = 'quarantined' AND marked = 0;
CREATE INDEX deletions_to_forget ON deletions (undo_until) WHERE sealed IS NOT NULL;
CREATE INDEX deletions_by_time ON deletions (since);

-- What is done to the record of one side when that of the other side is gone. Without a row nothing is.
CREATE TABLE delete_policies (
    connection INTEGER NOT NULL REFERENCES connections (pk),
    entity TEXT NOT NULL,
    policies TEXT NOT NULL,
    PRIMARY KEY (connection, entity)
) STRICT, WITHOUT ROWID;

-- Tombstones whose base is still kept.
CREATE INDEX links_lost ON links (updated_at) WHERE state IN ('highlevel-deleted', 'partner-deleted') AND base <> '{}';
