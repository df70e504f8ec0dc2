-- Browsers that are signed in at the self-service page. They are people's and never admins', so they stand apart.
CREATE TABLE self_service_session (
    hash            BLOB    NOT NULL PRIMARY KEY,
    account         BLOB    NOT NULL,
    csrf            TEXT    NOT NULL,
    proved_at       INTEGER NOT NULL                    -- when the password was asked; everything follows from it
) STRICT, WITHOUT ROWID;

-- Which certificates stand, or may stand, in the directory by our hand: noted before they are written there and forgotten
-- after they were taken away, so that a crash leaves nothing behind.
CREATE TABLE published (
    account         BLOB    NOT NULL,
    serial          TEXT    NOT NULL,
    written         INTEGER NOT NULL,                   -- 1 when the directory has said yes
    PRIMARY KEY (account, serial)
) STRICT, WITHOUT ROWID;
-- All that finding the good ones needs; the rows themselves, with a certificate in each, are not read.
CREATE INDEX certificate_mail ON certificate (account, state, not_before, not_after, created_at)
    WHERE profile = 'mail-encryption';
