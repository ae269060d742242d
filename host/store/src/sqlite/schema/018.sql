-- What stopped a connection, where something depends on it: so far only the guard against mass changes, which earlier versions knew by
-- the words of the reason.
ALTER TABLE connections ADD COLUMN stop_cause TEXT;
UPDATE connections SET stop_cause = 'mass-change'
WHERE state = 'paused' AND state_reason LIKE 'stopped by the mass-change guard: %';

-- What the guard held back was listed as if a quota were used up.
UPDATE runs SET class = 'guard'
WHERE class = 'quota' AND outcome = 'retrying' AND (summary LIKE 'stopped by the mass-change guard: %'
    OR summary LIKE 'as many records as the mass-change guard allows are being changed%');
