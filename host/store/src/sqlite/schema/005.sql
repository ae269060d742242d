-- What went wrong when a stream was read last: how often in a row, when it is tried again, and what was said.
ALTER TABLE cursors ADD COLUMN failures INTEGER NOT NULL DEFAULT 0;
ALTER TABLE cursors ADD COLUMN retry_at INTEGER;
ALTER TABLE cursors ADD COLUMN problem TEXT;

-- When the record of a link takes place, where it has a time: appointments are looked for by it.
ALTER TABLE links ADD COLUMN occurs_at INTEGER;
UPDATE links SET occurs_at = (
    SELECT min(unixepoch(json_extract(row.value, '$.highlevel'))) * 1000000 FROM json_each(links.base) AS row
    WHERE json_extract(row.value, '$.highlevel') LIKE '____-__-__T%')
WHERE entity = 'appointment' AND parent <> '';
CREATE INDEX links_occurring ON links (connection, entity, occurs_at, parent)
    WHERE occurs_at IS NOT NULL AND state = 'active';
-- As before, and in the order in which children are read.
DROP INDEX links_of_parent;
CREATE INDEX links_of_parent ON links (connection, parent, entity, highlevel_id) WHERE parent <> '';

-- A message to a destination that was stopped is held: no claim looks at it.
ALTER TABLE outgoing ADD COLUMN held INTEGER NOT NULL DEFAULT 0;
UPDATE outgoing SET held = 1 WHERE state = 0
    AND destination IN (SELECT pk FROM destinations WHERE stopped IS NOT NULL);
DROP INDEX outgoing_work;
CREATE INDEX outgoing_work ON outgoing (due_at, pk) WHERE state = 0 AND claim = 0 AND held = 0;
CREATE INDEX outgoing_claimed ON outgoing (claim) WHERE state = 0 AND claim > 0;
CREATE INDEX outgoing_waiting ON outgoing (connection) WHERE state = 0;

-- What waits is counted without what has ended.
CREATE INDEX deliveries_waiting ON deliveries (connection, timer, begins_at) WHERE state = 0;
CREATE INDEX runs_of_connection ON runs (connection, id) WHERE connection IS NOT NULL;
