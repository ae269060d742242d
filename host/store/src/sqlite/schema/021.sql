-- A mark that a person asked for, by having something parked done again: what its run writes was missed by no webhook.
ALTER TABLE marks ADD COLUMN asked INTEGER NOT NULL DEFAULT 0;

-- What only a walk over HighLevel found, by time: few rows, counted for the alert about missing webhooks.
CREATE INDEX runs_found_by_walk ON runs (workspace, started_at)
WHERE cause = 'highlevel-walk' AND outcome = 'applied' AND entity = 'contact';
