-- The linked records that a connection changed of late, by side: what the guard against mass changes counts.
CREATE TABLE changes (
    connection INTEGER NOT NULL REFERENCES connections (pk),
    side INTEGER NOT NULL,
    record TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (connection, side, record)
) STRICT, WITHOUT ROWID;
CREATE INDEX changes_by_time ON changes (connection, side, at);

-- How many more records a person allowed a connection to change; they are not counted.
CREATE TABLE allowances (
    connection INTEGER PRIMARY KEY REFERENCES connections (pk),
    records INTEGER NOT NULL
) STRICT;
