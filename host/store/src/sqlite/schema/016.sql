-- What led to a run, and the fields that it left alone with the reason: why a field has its value is told from them.
ALTER TABLE runs ADD COLUMN cause TEXT;
ALTER TABLE runs ADD COLUMN remarks TEXT NOT NULL DEFAULT '[]';

-- How many days a workspace's history is kept; NULL for as long as the host says.
ALTER TABLE workspaces ADD COLUMN retention_days INTEGER;
-- What is past its time is looked for connection by connection, because each may have another time.
DROP INDEX deliveries_ended;
CREATE INDEX deliveries_ended ON deliveries (connection, lasting, ended_at) WHERE ended_at IS NOT NULL;
DROP INDEX outgoing_ended;
CREATE INDEX outgoing_ended ON outgoing (connection, ended_at) WHERE ended_at IS NOT NULL;
