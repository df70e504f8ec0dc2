-- Requests that were decided on and wait for an admin, one for each key that an account wants under a grant.
CREATE TABLE pending (
    id              TEXT    NOT NULL PRIMARY KEY,       -- account, profile, names and key, hashed
    account         BLOB    NOT NULL,
    name            TEXT    NOT NULL,                   -- the account's
    profile         TEXT    NOT NULL,
    names           TEXT    NOT NULL,                   -- JSON: the names that the directory does not know
    spki            BLOB    NOT NULL,                   -- SubjectPublicKeyInfo in DER
    front           TEXT    NOT NULL,                   -- the protocol it came by
    token           BLOB,                               -- what entitles it: the hash of a token that is bound to it,
    certificate     TEXT,                               -- the serial of one that is to be renewed,
    client          TEXT,                               -- or a client of ACME; an admin asked where there is none
    poll            BLOB,                               -- the transaction in which CMP asks again,
    poll_kind       TEXT,                               -- and its order
    poll_number     INTEGER,
    state           TEXT    NOT NULL CHECK (state IN ('waiting', 'approved', 'denied')),
    serial          TEXT,                               -- what was approved
    created_at      INTEGER NOT NULL,
    expires_at      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX pending_waiting ON pending (account, created_at) WHERE state = 'waiting';
CREATE INDEX pending_token ON pending (token) WHERE token IS NOT NULL;
CREATE INDEX pending_poll ON pending (poll) WHERE poll IS NOT NULL;

ALTER TABLE acme_order ADD COLUMN pending TEXT;         -- the request that it waits for

-- What a certificate names, each on a line of its own in lower case: for searching, and to know its successors.
ALTER TABLE certificate ADD COLUMN names TEXT;          -- NULL until it was signed
ALTER TABLE certificate ADD COLUMN reminded INTEGER;    -- how long before its end the owner was last told of it, in µs
CREATE INDEX certificate_unnamed ON certificate (serial) WHERE names IS NULL;
CREATE INDEX certificate_ending ON certificate (not_after, state, reminded) WHERE account IS NOT NULL;

-- All that the list is filtered and ordered by, so that of the rows themselves only those are read that are shown; and
-- parts of names, of three letters or more.
CREATE INDEX certificate_list ON certificate (created_at, serial, account, profile, state, not_before, not_after);
CREATE VIRTUAL TABLE certificate_text USING fts5 (serial UNINDEXED, names, tokenize = 'trigram', detail = 'none');
