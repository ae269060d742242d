-- Who began a consent: its end is put on record under that name. A consent lasts an hour, so those begun before are begun again.
DROP TABLE consent_flows;
CREATE TABLE consent_flows (
    state TEXT NOT NULL PRIMARY KEY,
    workspace INTEGER REFERENCES workspaces (pk),
    begun_by TEXT NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
