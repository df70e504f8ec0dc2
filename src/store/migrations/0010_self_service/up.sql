-- Browsers that are signed in at the self-service page. They are people's and never admins', so they stand apart.
CREATE TABLE self_service_session (
    hash            BLOB    NOT NULL PRIMARY KEY,
    account         BLOB    NOT NULL,
    csrf            TEXT    NOT NULL,
    proved_at       INTEGER NOT NULL                    -- when the password was asked; everything follows from it
) STRICT, WITHOUT ROWID;
