-- Who may do what. A user is a person of the platform or of a customer, never one whose records are kept in step.
CREATE TABLE users (
    pk INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    email TEXT,
    platform_admin INTEGER NOT NULL,
    disabled INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE members (
    workspace INTEGER NOT NULL REFERENCES workspaces (pk),
    user INTEGER NOT NULL REFERENCES users (pk),
    role TEXT NOT NULL,
    PRIMARY KEY (workspace, user)
) STRICT, WITHOUT ROWID;
CREATE INDEX members_of_user ON members (user);

-- Of a token only the digest of its secret is kept. `role` and `workspaces` narrow what its user may do; `made_with` is the token that it
-- was made with, and ends it.
CREATE TABLE tokens (
    pk INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    user INTEGER NOT NULL REFERENCES users (pk),
    name TEXT NOT NULL,
    hash BLOB NOT NULL,
    role TEXT,
    workspaces TEXT,
    made_with INTEGER REFERENCES tokens (pk),
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    used_at INTEGER,
    revoked_at INTEGER
) STRICT;
CREATE INDEX tokens_of_user ON tokens (user);
CREATE INDEX tokens_made_with ON tokens (made_with) WHERE made_with IS NOT NULL;

-- Every change that was asked for through the admin API, each row chained to the one before it. A workspace is named, not referred to: a
-- refused request may name one that does not exist. Phase 0 is a change that begins, 1 its end, 2 a refusal.
CREATE TABLE audit (
    seq INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    phase INTEGER NOT NULL,
    began INTEGER,
    actor TEXT NOT NULL,
    token TEXT,
    workspace TEXT,
    action TEXT NOT NULL,
    target TEXT NOT NULL,
    status INTEGER,
    detail TEXT NOT NULL,
    previous BLOB NOT NULL,
    hash BLOB NOT NULL
) STRICT;
CREATE INDEX audit_ends ON audit (began) WHERE began IS NOT NULL;
CREATE INDEX audit_of_workspace ON audit (workspace, seq) WHERE workspace IS NOT NULL;
