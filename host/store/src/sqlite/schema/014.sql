-- Which database this is and how many commits were acknowledged: what the mark beside the file is held against at the start.
INSERT INTO meta (key, value) VALUES ('identity', random()), ('commits', 0);
