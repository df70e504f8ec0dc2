-- An admin may be a person of the directory. Browsers sign in again.
DROP TABLE console_session;
CREATE TABLE console_session (
    hash            BLOB    NOT NULL PRIMARY KEY,
    admin           TEXT    NOT NULL,                   -- the name of an admin, or of the person
    account         BLOB,                               -- the person whose groups make them an admin
    csrf            TEXT    NOT NULL,
    created_at      INTEGER NOT NULL,
    seen_at         INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
