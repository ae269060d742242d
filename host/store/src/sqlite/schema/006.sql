-- How often connections wrote a record, by the minute: what tells that they feed each other, or one itself.
CREATE TABLE writes (
    workspace INTEGER NOT NULL REFERENCES workspaces (pk),
    record TEXT NOT NULL,
    connection INTEGER NOT NULL REFERENCES connections (pk),
    minute INTEGER NOT NULL,
    writes INTEGER NOT NULL,
    PRIMARY KEY (workspace, record, connection, minute)
) STRICT, WITHOUT ROWID;
CREATE INDEX writes_of_minute ON writes (minute);
