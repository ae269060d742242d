-- Two causes have a class of their own: a call that may have happened, and a record that is written again and again. What is parked
-- already was told from other conflicts by these words alone.
UPDATE parked SET class = 'unsure'
WHERE class = 'conflict' AND reason LIKE '% may have happened and is not repeated by itself: %';
UPDATE parked SET class = 'loop'
WHERE class = 'conflict' AND reason LIKE '%so nothing more is written. Change the rules or mappings that answer each write with another one%';
