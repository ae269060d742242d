-- The report that lists a record. A report that is begun anew clears what an earlier one listed in pages, by this; until then those
-- rows are of no report that anybody sees.
ALTER TABLE matches ADD COLUMN walk INTEGER NOT NULL DEFAULT 0;
UPDATE matches SET walk = coalesce((SELECT walk FROM reviews WHERE reviews.connection = matches.connection), 0);
CREATE INDEX matches_by_walk ON matches (connection, walk);
CREATE VIEW present_matches AS
    SELECT matches.* FROM matches JOIN reviews ON reviews.connection = matches.connection AND reviews.walk = matches.walk;
