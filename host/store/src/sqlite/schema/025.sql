
-- What HighLevel's marketplace granted to this host's app. The tokens are credentials; here is who may renew them and when.
CREATE TABLE oauth_grants (
    pk INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    client TEXT NOT NULL,
    company TEXT,
    scopes TEXT NOT NULL,
    state TEXT NOT NULL,
    reason TEXT,
    generation INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    renewed_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    next_attempt_at INTEGER NOT NULL,
    fence INTEGER NOT NULL,
    lease_owner TEXT,
    lease_until INTEGER,
    -- The fence of a lease under which the refresh token may have been spent, until its outcome is stored.
    unsettled INTEGER,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX oauth_grants_due ON oauth_grants (next_attempt_at);

CREATE TABLE consent_flows (
    state TEXT NOT NULL PRIMARY KEY,
    workspace INTEGER REFERENCES workspaces (pk),
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- INSTALL and UNINSTALL race with the exchange of the code, and name locations that no workspace is bound to.
CREATE TABLE installations (
    location TEXT NOT NULL PRIMARY KEY,
    company TEXT,
    name TEXT,
    installed INTEGER NOT NULL,
    told_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
