-- Where a workspace's alerts go, and from which threshold on.
CREATE TABLE alert_rules (
    workspace INTEGER PRIMARY KEY REFERENCES workspaces (pk),
    rules TEXT NOT NULL
) STRICT;

-- What is or was wrong, and what was told of it.
CREATE TABLE alerts (
    workspace INTEGER NOT NULL REFERENCES workspaces (pk),
    key TEXT NOT NULL,
    alert TEXT NOT NULL,
    ended_at INTEGER,
    PRIMARY KEY (workspace, key)
) STRICT, WITHOUT ROWID;

-- When a workspace last heard of a source: HighLevel or one of its partners.
CREATE TABLE heard (
    workspace INTEGER NOT NULL REFERENCES workspaces (pk),
    source TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (workspace, source)
) STRICT, WITHOUT ROWID;
