-- What the directory says of a person beyond what everybody sees (JSON), from which the account follows; NULL for the
-- built-in directory, and for people that the directory has not been heard of since.
ALTER TABLE account ADD COLUMN entry TEXT;

-- Its groups with their members, as of the checkpoint that the mark `directory` holds.
CREATE TABLE directory_group (
    id      BLOB NOT NULL PRIMARY KEY,
    dn      TEXT NOT NULL,
    name    TEXT NOT NULL,
    members TEXT NOT NULL,                              -- JSON array of names of entries
    logins  TEXT NOT NULL                               -- JSON array
) STRICT;

-- By what a password is known while no server of the directory answers.
CREATE TABLE verifier (
    account BLOB    NOT NULL PRIMARY KEY,
    phc     TEXT    NOT NULL,                           -- Argon2id
    at      INTEGER NOT NULL                            -- when the directory last accepted it
) STRICT;
