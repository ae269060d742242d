-- What people decide about conflicts. `state` is a word: open and pending ones wait, the others have ended. `resolutions` is what was
-- decided, in order; `decided_at` is the time of the last one, so that a run ends no other decision than the one that it saw.
ALTER TABLE conflicts ADD COLUMN state TEXT NOT NULL DEFAULT 'decided';
ALTER TABLE conflicts ADD COLUMN resolutions TEXT NOT NULL DEFAULT '[]';
ALTER TABLE conflicts ADD COLUMN decided_at INTEGER;
ALTER TABLE conflicts ADD COLUMN ended TEXT;
UPDATE conflicts SET state = 'open' WHERE waiting IS NOT NULL;
CREATE INDEX conflicts_unsettled ON conflicts (connection, record, entity) WHERE state IN ('open', 'pending');
CREATE INDEX conflicts_by_state ON conflicts (workspace, state, id);
CREATE INDEX conflicts_of_record ON conflicts (record, id);

-- What connectors were given and answered in runs, sealed, so that these can be run again. Without `sealed` it was too large: `size`
-- says how large. `kept` is what it takes here.
CREATE TABLE recordings (
    pk INTEGER PRIMARY KEY AUTOINCREMENT,
    run TEXT NOT NULL UNIQUE,
    connection INTEGER NOT NULL REFERENCES connections (pk),
    at INTEGER NOT NULL,
    size INTEGER NOT NULL,
    kept INTEGER NOT NULL,
    key TEXT,
    sealed BLOB
) STRICT;
CREATE INDEX recordings_by_time ON recordings (at);
-- Sums are made without reading a recording.
CREATE INDEX recordings_by_share ON recordings (connection, pk DESC, kept);
