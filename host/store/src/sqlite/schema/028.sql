-- Which component a run ran, and which one a handler was begun with.
ALTER TABLE runs ADD COLUMN component INTEGER REFERENCES connectors (pk);
ALTER TABLE deliveries ADD COLUMN component INTEGER REFERENCES connectors (pk);

-- What a workspace lets none of its connectors do.
ALTER TABLE workspaces ADD COLUMN policy TEXT NOT NULL DEFAULT '{}';

-- Other versions of connectors on trial, and what they replaced.
CREATE TABLE rollouts (
    pk INTEGER PRIMARY KEY AUTOINCREMENT,
    connection INTEGER NOT NULL REFERENCES connections (pk),
    candidate TEXT NOT NULL,
    former TEXT NOT NULL,
    mode TEXT NOT NULL,
    share INTEGER NOT NULL,
    state TEXT NOT NULL,
    reason TEXT NOT NULL,
    begun_by TEXT NOT NULL,
    began_at INTEGER NOT NULL,
    set_at INTEGER NOT NULL,
    ended_at INTEGER,
    counts TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX rollouts_running ON rollouts (connection) WHERE state = 'running';
CREATE INDEX rollouts_of_connection ON rollouts (connection, pk);

CREATE TABLE rollout_differences (
    pk INTEGER PRIMARY KEY AUTOINCREMENT,
    rollout INTEGER NOT NULL REFERENCES rollouts (pk),
    run TEXT,
    at INTEGER NOT NULL,
    what TEXT NOT NULL
) STRICT;
CREATE INDEX differences_of_rollout ON rollout_differences (rollout, pk);
