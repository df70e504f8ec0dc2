-- Durable sessions and what they are owed on plain topics have moved to the journal; clients begin new sessions. What
-- accounts wait for stays in their inboxes.
DELETE FROM queue;
DELETE FROM message WHERE kind = 3;
DROP TABLE subscription;
DROP TABLE session;
