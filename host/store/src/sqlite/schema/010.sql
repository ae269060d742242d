-- What people decide about conflicts. `state` is a word: open and pending ones wait, the others have ended. `resolutions` is what was
-- decided, in order; `decided_at` is the time of the last one, so that a run ends no other decision than the one that it saw.
ALTER TABLE conflicts ADD COLUMN state TEXT NOT NULL DEFAULT 'decided';
ALTER TABLE conflicts ADD COLUMN resolutions TEXT NOT NULL DEFAULT '[]';
ALTER TABLE conflicts ADD COLUMN decided_at INTEGER;
ALTER TABLE conflicts ADD COLUMN ended TEXT;
UPDATE conflicts SET state = 'open' WHERE waiting IS NOT NULL;
CREATE INDEX conflicts_unsettled ON conflicts (connection, record, entity) WHERE state IN ('open', 'pending');
CREATE INDEX conflicts_by_state ON conflicts (workspace, state, id);
CREATE INDEX conflicts_of_record ON conflicts (record, id);
