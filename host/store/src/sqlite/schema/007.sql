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

-- What waits is counted without what has ended.
CREATE INDEX deliveries_waiting ON deliveries (connection, timer, begins_at) WHERE state = 0;
CREATE INDEX runs_of_connection ON runs (connection, id) WHERE connection IS NOT NULL;
