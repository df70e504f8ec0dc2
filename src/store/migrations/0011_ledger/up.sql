-- The ledger in the order of its lines: by serials, which are random, each line lay on a page of its own, and was written
-- with that page twice. Where one is, an index of a twentieth of the size says.
CREATE TABLE ledger (
    line            INTEGER NOT NULL PRIMARY KEY,
    serial          TEXT    NOT NULL UNIQUE,            -- upper-case hex
    account         BLOB,
    name            TEXT    NOT NULL,                   -- the account's name, or the server's
    profile         TEXT    NOT NULL,
    state           TEXT    NOT NULL CHECK (state IN ('intended', 'active', 'revoked')),
    spki            BLOB    NOT NULL,                   -- SHA-256 of the public key
    not_before      INTEGER NOT NULL,
    not_after       INTEGER NOT NULL,
    der             BLOB,
    reason          TEXT,
    revoked_at      INTEGER,
    created_at      INTEGER NOT NULL,
    log_place       INTEGER,                            -- NULL until it was signed and entered
    issuer          INTEGER NOT NULL DEFAULT 1,         -- which issuing CA signed it, counted from 1
    names           TEXT,                               -- each on a line, lower case; NULL until it was signed
    reminded        INTEGER                             -- how long before its end the owner was last told of it, in µs
) STRICT;
INSERT INTO ledger (serial, account, name, profile, state, spki, not_before, not_after, der, reason, revoked_at,
                    created_at, log_place, issuer, names, reminded)
    SELECT serial, account, name, profile, state, spki, not_before, not_after, der, reason, revoked_at,
           created_at, log_place, issuer, names, reminded
    FROM certificate ORDER BY created_at;
DROP TABLE certificate;
ALTER TABLE ledger RENAME TO certificate;

-- As before, but that the serial is now said where the primary key brought it along.
CREATE INDEX certificate_account ON certificate (account, created_at, serial);
CREATE INDEX certificate_spki ON certificate (spki);
CREATE UNIQUE INDEX certificate_log ON certificate (log_place) WHERE log_place IS NOT NULL;
CREATE INDEX certificate_issuer ON certificate (issuer, not_after);
CREATE INDEX certificate_revoked ON certificate (state, not_after, revoked_at, reason, issuer, serial)
    WHERE state = 'revoked';
CREATE INDEX certificate_unnamed ON certificate (line) WHERE names IS NULL;
CREATE INDEX certificate_ending ON certificate (not_after, state, reminded) WHERE account IS NOT NULL;
CREATE INDEX certificate_list ON certificate (created_at, serial, account, profile, state, not_before, not_after);
CREATE INDEX certificate_mail ON certificate (account, state, not_before, not_after, created_at, serial)
    WHERE profile = 'mail-encryption';
