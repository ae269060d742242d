-- When a decision about a deletion was made, or a run began to act without one: what nothing carries out in time is asked again.
-- `decisions` counts them, so that a run never overwrites one that it did not see, also of the same person. What is on its way
-- gets its full time from here.
ALTER TABLE deletions ADD COLUMN decided_at INTEGER;
ALTER TABLE deletions ADD COLUMN decisions INTEGER NOT NULL DEFAULT 0;
UPDATE deletions SET decided_at = CAST(strftime('%s', 'now') AS INTEGER) * 1000000
    WHERE state IN ('confirmed', 'kept', 'acting', 'undoing');
CREATE INDEX deletions_to_lapse ON deletions (decided_at) WHERE state IN ('confirmed', 'kept', 'acting', 'undoing');
