-- A key for each workspace, wrapped with a key-encryption key that lies elsewhere. No reference to the workspace: its token is sealed
-- before it exists. One key of a workspace seals, the retired ones only open, until nothing names them any more.
CREATE TABLE data_keys (
    id TEXT PRIMARY KEY,
    workspace TEXT NOT NULL,
    kek TEXT NOT NULL,
    wrapped BLOB NOT NULL,
    generation INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    retired_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX data_keys_in_use ON data_keys (workspace) WHERE retired_at IS NULL;
-- The generation that data keys in use are to have: what is older is yet to be replaced.
INSERT INTO meta (key, value) VALUES ('data_key_generation', 0);
-- What is sealed with a key is found without reading all of it.
CREATE INDEX recordings_by_key ON recordings (key) WHERE key IS NOT NULL;
CREATE INDEX deletions_by_key ON deletions (key) WHERE key IS NOT NULL;
