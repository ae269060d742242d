-- Automations: what a connector's own code has to handle, the journal of what it did, and messages to people.

-- One row per event and connection. A row outlives its work: it is the memory of its key, so that no happening is handled
-- twice. `lasting` keys are the partner's own (a submission, a redemption) and are remembered far longer than events.
--
-- Deliveries of one lane (a contact, or a partner's record that is not linked) are handled one after the other. `place` is 0
-- for a timer that has not gone off, 1 for the first of its lane, 2 for what waits behind it.
CREATE TABLE deliveries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    connection INTEGER NOT NULL REFERENCES connections (pk),
    key TEXT NOT NULL,
    lasting INTEGER NOT NULL DEFAULT 0,
    event INTEGER REFERENCES events (seq) ON DELETE SET NULL,
    source INTEGER NOT NULL,
    kind TEXT NOT NULL,
    timer TEXT,
    entity TEXT,
    contact TEXT,
    partner TEXT,
    at INTEGER NOT NULL,
    fields TEXT NOT NULL,
    payload TEXT,
    lane TEXT,
    place INTEGER NOT NULL,
    begins_at INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    awaits INTEGER NOT NULL DEFAULT 0,
    claim INTEGER NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0,
    begun_at INTEGER,
    retried INTEGER NOT NULL DEFAULT 0,
    state INTEGER NOT NULL DEFAULT 0,
    run TEXT,
    ended_at INTEGER,
    UNIQUE (connection, key)
) STRICT;
CREATE INDEX deliveries_work ON deliveries (claim, connection, due_at) WHERE state = 0 AND place < 2;
CREATE INDEX deliveries_lane ON deliveries (connection, lane, place, begins_at) WHERE state = 0 AND lane IS NOT NULL;
CREATE INDEX deliveries_timer ON deliveries (connection, timer) WHERE state = 0 AND timer IS NOT NULL;
CREATE INDEX deliveries_of_event ON deliveries (event) WHERE event IS NOT NULL;
CREATE INDEX deliveries_ended ON deliveries (lasting, ended_at) WHERE ended_at IS NOT NULL;

-- What a delivery's handler was answered, in its order. A write is noted before it is made (result is null) and again with its
-- answer; reads are noted together with the write that follows them. `record` is what a create made: it outlives the rest.
CREATE TABLE journal (
    delivery INTEGER NOT NULL REFERENCES deliveries (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    operation TEXT NOT NULL,
    request BLOB NOT NULL,
    writes INTEGER NOT NULL,
    result TEXT,
    record TEXT,
    PRIMARY KEY (delivery, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX journal_records ON journal (record) WHERE record IS NOT NULL;

-- Where messages of a workspace can go. Addresses that are secrets lie in `credentials`.
CREATE TABLE destinations (
    pk INTEGER PRIMARY KEY,
    workspace INTEGER NOT NULL REFERENCES workspaces (pk),
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    target TEXT NOT NULL,
    stopped TEXT,
    created_at INTEGER NOT NULL,
    UNIQUE (workspace, name)
) STRICT;

-- Messages on their way. `id` is given out as it is to the receiver, the same at every attempt.
CREATE TABLE outgoing (
    pk INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    connection INTEGER NOT NULL REFERENCES connections (pk),
    destination INTEGER NOT NULL REFERENCES destinations (pk),
    message TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    claim INTEGER NOT NULL DEFAULT 0,
    due_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    state INTEGER NOT NULL DEFAULT 0,
    ended_at INTEGER
) STRICT;
CREATE INDEX outgoing_work ON outgoing (claim, due_at) WHERE state = 0;
CREATE INDEX outgoing_of_destination ON outgoing (destination);
CREATE INDEX outgoing_ended ON outgoing (ended_at) WHERE ended_at IS NOT NULL;
