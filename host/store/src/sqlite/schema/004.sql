-- A run may be the host's own operation at HighLevel, which belongs to a workspace and to no connection of it.
CREATE TABLE runs_of_any (
    pk INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    workspace INTEGER NOT NULL REFERENCES workspaces (pk),
    connection INTEGER REFERENCES connections (pk),
    kind TEXT NOT NULL,
    entity TEXT,
    highlevel_id TEXT,
    partner_id TEXT,
    event INTEGER,
    started_at INTEGER NOT NULL,
    duration_us INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    class TEXT,
    summary TEXT NOT NULL,
    changes TEXT NOT NULL,
    log TEXT NOT NULL,
    calls TEXT NOT NULL
) STRICT;
INSERT INTO runs_of_any (pk, id, workspace, connection, kind, entity, highlevel_id, partner_id, event, started_at,
    duration_us, outcome, class, summary, changes, log, calls)
SELECT pk, id, workspace, connection, kind, entity, highlevel_id, partner_id, event, started_at,
    duration_us, outcome, class, summary, changes, log, calls FROM runs;
DROP TABLE runs;
ALTER TABLE runs_of_any RENAME TO runs;
CREATE INDEX runs_of_workspace ON runs (workspace, id);
CREATE INDEX runs_of_highlevel_record ON runs (highlevel_id, id) WHERE highlevel_id IS NOT NULL;
CREATE INDEX runs_of_partner_record ON runs (partner_id, id) WHERE partner_id IS NOT NULL;
