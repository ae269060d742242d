-- Times are microseconds since 1970. Ids of other systems are text; inside, rows refer to each other by integers.
-- The hot path (append an event) touches events, dirty and marks: their indexes are kept few and, where possible,
-- append-only, so that a commit writes few pages.

CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO meta (key, value) VALUES ('lease_token', 0), ('state_version', 0), ('probe', 0);

CREATE TABLE workspaces (
    pk INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    shard INTEGER NOT NULL,
    name TEXT NOT NULL,
    location TEXT NOT NULL UNIQUE,
    country TEXT,
    timezone TEXT,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE connectors (
    pk INTEGER PRIMARY KEY,
    digest TEXT NOT NULL UNIQUE,
    id TEXT NOT NULL,
    version TEXT NOT NULL,
    manifest TEXT NOT NULL,
    size INTEGER NOT NULL,
    installed_at INTEGER NOT NULL
) STRICT;

CREATE TABLE connections (
    pk INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    workspace INTEGER NOT NULL REFERENCES workspaces (pk),
    connector TEXT NOT NULL,
    digest TEXT NOT NULL,
    state TEXT NOT NULL,
    state_reason TEXT,
    grants TEXT NOT NULL,
    base_url TEXT NOT NULL,
    auth_scheme TEXT NOT NULL,
    settings TEXT NOT NULL,
    mapping TEXT NOT NULL,
    webhook_token TEXT NOT NULL UNIQUE,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX connections_of_workspace ON connections (workspace);

CREATE TABLE credentials (name TEXT PRIMARY KEY, key_id TEXT NOT NULL, bytes BLOB NOT NULL) STRICT, WITHOUT ROWID;

-- Who works on which part of the workspaces. Owner '' is nobody.
CREATE TABLE leases (
    shard INTEGER PRIMARY KEY,
    owner TEXT NOT NULL,
    token INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
WITH RECURSIVE shard (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM shard WHERE n < 255)
INSERT INTO leases SELECT n, '', 0, 0 FROM shard;

-- AUTOINCREMENT: a number is never given twice, not even after the newest event has expired.
-- An event row is also the memory of its de-duplication key (a digest of source, scope and key), so it outlives its body.
CREATE TABLE events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    digest BLOB NOT NULL UNIQUE,
    source INTEGER NOT NULL,
    workspace INTEGER REFERENCES workspaces (pk),
    connection INTEGER REFERENCES connections (pk),
    location TEXT,
    key TEXT NOT NULL,
    kind TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    state INTEGER NOT NULL,
    headers TEXT NOT NULL,
    body BLOB NOT NULL
) STRICT;
CREATE INDEX events_of_workspace ON events (workspace, seq) WHERE workspace IS NOT NULL;
CREATE INDEX events_held ON events (location) WHERE workspace IS NULL;

-- Partner webhooks that their connector still has to read. claim is the lease token, 0 when nobody holds it.
CREATE TABLE unread (
    event INTEGER PRIMARY KEY REFERENCES events (seq),
    connection INTEGER NOT NULL REFERENCES connections (pk),
    claim INTEGER NOT NULL DEFAULT 0,
    due_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX unread_work ON unread (claim, connection, due_at);

-- Records that have to be reconciled, one row each.
CREATE TABLE dirty (
    id INTEGER PRIMARY KEY,
    connection INTEGER NOT NULL REFERENCES connections (pk),
    entity TEXT NOT NULL,
    side INTEGER NOT NULL,
    record TEXT NOT NULL,
    claim INTEGER NOT NULL DEFAULT 0,
    priority INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    generation INTEGER NOT NULL DEFAULT 1,
    hints INTEGER NOT NULL DEFAULT 1,
    first_marked_at INTEGER NOT NULL,
    UNIQUE (connection, entity, side, record)
) STRICT;
-- Serves "what is due" (claim 0) and "what is in flight" (claim = token).
CREATE INDEX dirty_work ON dirty (claim, priority, connection, due_at);

-- A mark is a hint while its record waits (dirty is set), and afterwards the note of how its event ended there.
CREATE TABLE marks (
    id INTEGER PRIMARY KEY,
    event INTEGER REFERENCES events (seq) ON DELETE CASCADE,
    connection INTEGER NOT NULL REFERENCES connections (pk),
    dirty INTEGER REFERENCES dirty (id),
    generation INTEGER NOT NULL,
    priority INTEGER NOT NULL,
    side INTEGER NOT NULL,
    deleted INTEGER NOT NULL,
    marked_at INTEGER NOT NULL,
    state INTEGER NOT NULL DEFAULT 0,
    run TEXT,
    snapshot TEXT
) STRICT;
CREATE INDEX marks_pending ON marks (dirty, generation) WHERE dirty IS NOT NULL;
CREATE INDEX marks_of_event ON marks (event) WHERE event IS NOT NULL;

CREATE TABLE parked (
    connection INTEGER NOT NULL REFERENCES connections (pk),
    entity TEXT NOT NULL,
    side INTEGER NOT NULL,
    record TEXT NOT NULL,
    reason TEXT NOT NULL,
    run TEXT,
    since INTEGER NOT NULL,
    PRIMARY KEY (connection, entity, side, record)
) STRICT, WITHOUT ROWID;

CREATE TABLE links (
    pk INTEGER PRIMARY KEY,
    connection INTEGER NOT NULL REFERENCES connections (pk),
    entity TEXT NOT NULL,
    highlevel_id TEXT NOT NULL,
    partner_id TEXT NOT NULL,
    state TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    highlevel_fingerprint TEXT NOT NULL,
    partner_fingerprint TEXT NOT NULL,
    base TEXT NOT NULL,
    UNIQUE (connection, highlevel_id, entity),
    UNIQUE (connection, partner_id, entity)
) STRICT;
CREATE INDEX links_active ON links (connection) WHERE state = 'active';

CREATE TABLE runs (
    pk INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    workspace INTEGER NOT NULL REFERENCES workspaces (pk),
    connection INTEGER NOT NULL REFERENCES connections (pk),
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
CREATE INDEX runs_of_workspace ON runs (workspace, id);
CREATE INDEX runs_of_highlevel_record ON runs (highlevel_id, id) WHERE highlevel_id IS NOT NULL;
CREATE INDEX runs_of_partner_record ON runs (partner_id, id) WHERE partner_id IS NOT NULL;

-- Counting a million runs for every health check would be dear.
CREATE TABLE run_totals (
    connection INTEGER NOT NULL REFERENCES connections (pk),
    outcome TEXT NOT NULL,
    total INTEGER NOT NULL,
    PRIMARY KEY (connection, outcome)
) STRICT, WITHOUT ROWID;

CREATE TABLE conflicts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    workspace INTEGER NOT NULL REFERENCES workspaces (pk),
    connection INTEGER NOT NULL REFERENCES connections (pk),
    run TEXT NOT NULL,
    entity TEXT NOT NULL,
    side INTEGER NOT NULL,
    record TEXT NOT NULL,
    at INTEGER NOT NULL,
    waiting TEXT,
    conflict TEXT NOT NULL
) STRICT;
CREATE INDEX conflicts_of_workspace ON conflicts (workspace, id);
-- A conflict that waits for a person is met again by every run of its record; it is listed once.
CREATE UNIQUE INDEX conflicts_waiting ON conflicts (connection, entity, side, record, waiting) WHERE waiting IS NOT NULL;

CREATE TABLE cursors (
    connection INTEGER NOT NULL REFERENCES connections (pk),
    stream TEXT NOT NULL,
    cursor TEXT,
    done INTEGER NOT NULL,
    seen INTEGER NOT NULL,
    total INTEGER,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (connection, stream)
) STRICT, WITHOUT ROWID;

CREATE TABLE state (
    connection INTEGER NOT NULL REFERENCES connections (pk),
    key TEXT NOT NULL,
    version INTEGER NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (connection, key)
) STRICT, WITHOUT ROWID;
