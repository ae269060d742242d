-- Calls that were made, by hour: who used the quota.
CREATE TABLE usage (
    connection INTEGER NOT NULL REFERENCES connections (pk),
    hour INTEGER NOT NULL,
    priority INTEGER NOT NULL,
    highlevel INTEGER NOT NULL,
    partner INTEGER NOT NULL,
    PRIMARY KEY (connection, hour, priority)
) STRICT, WITHOUT ROWID;
CREATE INDEX usage_by_hour ON usage (hour);

-- What HighLevel last said is left of a location's day.
CREATE TABLE budgets (
    workspace INTEGER PRIMARY KEY REFERENCES workspaces (pk),
    remaining INTEGER NOT NULL,
    resets_at INTEGER,
    seen_at INTEGER NOT NULL
) STRICT;
