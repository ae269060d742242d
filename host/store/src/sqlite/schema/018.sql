-- What stopped a connection, where something depends on it: so far only the guard against mass changes, which earlier versions knew by
-- the words of the reason.
ALTER TABLE connections ADD COLUMN stop_cause TEXT;
UPDATE connections SET stop_cause = 'mass-change'
WHERE state = 'paused' AND state_reason LIKE 'stopped by the mass-change guard: %';

-- What the guard held back was listed as if a quota were used up.
UPDATE runs SET class = 'guard'
WHERE class = 'quota' AND outcome = 'retrying' AND (summary LIKE 'stopped by the mass-change guard: %'
    OR summary LIKE 'as many records as the mass-change guard allows are being changed%');

-- Pairs in quarantine are linked records as well: the guard measures its part of all of them.
CREATE INDEX links_quarantined ON links (connection) WHERE state IN ('highlevel-missing', 'partner-missing') AND parent = '';

-- What was used of the partners' declared quotas, so that a restart of the host gives none of them anew: how many requests were made
-- until which time, and until when the partner itself said that nothing is left.
CREATE TABLE partner_windows (
    connection INTEGER NOT NULL REFERENCES connections (pk),
    scope TEXT NOT NULL,
    per_seconds INTEGER NOT NULL,
    taken TEXT NOT NULL,
    blocked_until INTEGER,
    PRIMARY KEY (connection, scope, per_seconds)
) STRICT, WITHOUT ROWID;
