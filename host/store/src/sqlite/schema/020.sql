-- What is needed to settle a call whose answer was lost. `begun_at` is when the call was begun for the first time, `standing` lists the
-- records of the same contents that were there before. `arguments` is what a person sees of the call. `released` is 1 for what a person
-- had done again although nobody could say whether it had happened.
ALTER TABLE journal ADD COLUMN begun_at INTEGER;
ALTER TABLE journal ADD COLUMN standing TEXT;
ALTER TABLE journal ADD COLUMN arguments TEXT NOT NULL DEFAULT '';
ALTER TABLE journal ADD COLUMN released INTEGER NOT NULL DEFAULT 0;
