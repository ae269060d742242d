-- What is left alone for a while: a connection whose partner asked for it (subject ''), or its records of one entity.
CREATE TABLE rests (
    connection INTEGER NOT NULL REFERENCES connections (pk),
    subject TEXT NOT NULL,
    class TEXT NOT NULL,
    reason TEXT NOT NULL,
    failures INTEGER NOT NULL,
    since INTEGER NOT NULL,
    until INTEGER NOT NULL,
    PRIMARY KEY (connection, subject)
) STRICT, WITHOUT ROWID;

-- What kind of failure parked it, and the reason without what is particular to this record; entries of one cause are a group.
ALTER TABLE parked ADD COLUMN class TEXT NOT NULL DEFAULT 'data';
ALTER TABLE parked ADD COLUMN cause TEXT NOT NULL DEFAULT '';
UPDATE parked SET cause = reason;
CREATE INDEX parked_by_cause ON parked (connection, entity, class, cause);
