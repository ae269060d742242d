-- Messages are shared out over their destinations, so work is found by destination; and a destination is sent so many a
-- minute: `sent` of them since `minute_from`. When that was the most, the next may leave at `full_until`.
ALTER TABLE destinations ADD COLUMN minute_from INTEGER NOT NULL DEFAULT 0;
ALTER TABLE destinations ADD COLUMN sent INTEGER NOT NULL DEFAULT 0;
ALTER TABLE destinations ADD COLUMN full_until INTEGER NOT NULL DEFAULT 0;
DROP INDEX outgoing_work;
CREATE INDEX outgoing_work ON outgoing (claim, destination, due_at) WHERE state = 0;
CREATE INDEX outgoing_waiting ON outgoing (connection) WHERE state = 0;
