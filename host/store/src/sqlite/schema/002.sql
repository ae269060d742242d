-- Children (the tasks, notes and appointments of a contact) have links of their own, with HighLevel's contact as `parent`. A
-- partner's list may name its elements as it likes, so the partner's id of a child is unique within its parent only.
CREATE TABLE links_2 (
    pk INTEGER PRIMARY KEY,
    connection INTEGER NOT NULL REFERENCES connections (pk),
    entity TEXT NOT NULL,
    highlevel_id TEXT NOT NULL,
    partner_id TEXT NOT NULL,
    -- '' for a record that has none: NULLs would all be different to the unique index.
    parent TEXT NOT NULL DEFAULT '',
    state TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    highlevel_fingerprint TEXT NOT NULL,
    partner_fingerprint TEXT NOT NULL,
    base TEXT NOT NULL,
    UNIQUE (connection, highlevel_id, entity),
    UNIQUE (connection, partner_id, entity, parent)
) STRICT;
INSERT INTO links_2 (pk, connection, entity, highlevel_id, partner_id, state, created_at, updated_at,
                     highlevel_fingerprint, partner_fingerprint, base)
SELECT pk, connection, entity, highlevel_id, partner_id, state, created_at, updated_at,
       highlevel_fingerprint, partner_fingerprint, base FROM links;
DROP TABLE links;
ALTER TABLE links_2 RENAME TO links;
CREATE INDEX links_active ON links (connection) WHERE state = 'active' AND parent = '';
CREATE INDEX links_of_parent ON links (connection, parent, entity) WHERE parent <> '';

-- How often a connection is served, as JSON.
ALTER TABLE connections ADD COLUMN schedule TEXT NOT NULL DEFAULT '{}';

-- What the last walk over a list without dates of change has seen of each record.
CREATE TABLE seen (
    workspace INTEGER NOT NULL REFERENCES workspaces (pk),
    stream TEXT NOT NULL,
    record TEXT NOT NULL,
    parent TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    PRIMARY KEY (workspace, stream, record)
) STRICT, WITHOUT ROWID;
