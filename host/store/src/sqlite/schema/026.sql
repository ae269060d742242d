
-- Whether a connector may be taken by its id alone, because somebody who answers for the platform installed it.
ALTER TABLE connectors ADD COLUMN approved INTEGER NOT NULL DEFAULT 1;
