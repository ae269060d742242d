-- Who vouched for a component when it was installed; for showing it, the signature in the component is what counts.
ALTER TABLE connectors ADD COLUMN publisher TEXT;

-- Whom an identity provider's logins are: bound at the first one, whatever address the provider names later.
CREATE TABLE identities (
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    user INTEGER NOT NULL REFERENCES users (pk),
    bound_at INTEGER NOT NULL,
    PRIMARY KEY (issuer, subject),
    UNIQUE (user, issuer)
) STRICT, WITHOUT ROWID;

-- Logins that last. Of the secret in the browser's cookie its SHA-256 is kept; a row that is gone opens nothing.
CREATE TABLE sessions (
    pk INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    user INTEGER NOT NULL REFERENCES users (pk),
    hash BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    used_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX sessions_of_user ON sessions (user);
