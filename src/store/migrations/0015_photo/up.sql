-- What is shown of the photos of people. A row comes with the account, and is filled in afterwards.
CREATE TABLE photo (
    account         BLOB    NOT NULL PRIMARY KEY,
    digest          TEXT    NOT NULL,                   -- of the photo in the directory (SHA-256)
    jpeg            BLOB,                               -- what is shown, …
    why             TEXT                                -- … or why it cannot be shown
) STRICT;
CREATE INDEX photo_undeveloped ON photo (account) WHERE jpeg IS NULL AND why IS NULL;
