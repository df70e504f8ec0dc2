-- Public keys with which accounts sign in by a signed challenge.
CREATE TABLE key (
    id              BLOB    NOT NULL PRIMARY KEY,       -- the first 16 bytes of the SHA-256 of spki
    account         BLOB    NOT NULL,
    name            TEXT    NOT NULL,                   -- for people; may be empty
    spki            BLOB    NOT NULL,                   -- SubjectPublicKeyInfo in DER
    created_at      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX key_account ON key (account, created_at);
