-- The first state of the house. Times are microseconds since 1970 UTC, ids sixteen bytes (ULID or the directory's UUID).

CREATE TABLE account (
    id                  BLOB    NOT NULL PRIMARY KEY,
    name                TEXT    NOT NULL,               -- on the wire, lower case
    display             TEXT    NOT NULL,
    mail                TEXT,
    source              TEXT    NOT NULL CHECK (source IN ('builtin', 'ldap')),
    password            TEXT,                           -- Argon2id PHC string; built-in directory only
    groups              TEXT    NOT NULL DEFAULT '[]',  -- JSON array of names
    admin_disabled      INTEGER NOT NULL DEFAULT 0,
    directory_disabled  TEXT,                           -- why the directory holds it disabled
    removed_at          INTEGER,
    created_at          INTEGER NOT NULL
) STRICT;
-- A leaver's name may be given to somebody new; the id never is.
CREATE UNIQUE INDEX account_name ON account (name) WHERE removed_at IS NULL;

CREATE TABLE session (
    id              BLOB    NOT NULL PRIMARY KEY,
    account         BLOB    NOT NULL,
    client_id       TEXT    NOT NULL,
    expiry          INTEGER NOT NULL,                   -- seconds after the end of the connection; 4294967295 = never
    ended_at        INTEGER,                            -- NULL while connected
    created_at      INTEGER NOT NULL,
    UNIQUE (account, client_id)
) STRICT;

CREATE TABLE subscription (
    session         BLOB    NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    filter          TEXT    NOT NULL,
    qos             INTEGER NOT NULL,
    no_local        INTEGER NOT NULL,
    identifier      INTEGER,
    PRIMARY KEY (session, filter)
) STRICT, WITHOUT ROWID;

-- Each body once. `seq` is the order of commit; inbox and queue refer to it.
CREATE TABLE message (
    seq             INTEGER PRIMARY KEY,
    id              BLOB    NOT NULL UNIQUE,
    kind            INTEGER NOT NULL,                   -- 0 direct, 1 room, 2 receipt, 3 plain topic
    author          BLOB    NOT NULL,
    sender          TEXT    NOT NULL,                   -- the author's name on the wire
    address         TEXT    NOT NULL,                   -- account, room, message id or topic, by kind
    payload         BLOB    NOT NULL,
    properties      TEXT,                               -- JSON: content type and other MQTT 5 properties
    at              INTEGER NOT NULL
) STRICT;

-- What an account has been sent. A row stands as `stored` or `mailed` until one of its devices acknowledged it.
CREATE TABLE inbox (
    message         INTEGER NOT NULL,
    account         BLOB    NOT NULL,
    fate            INTEGER NOT NULL,                   -- 0 stored, 1 mailed, 2 delivered, 3 read
    PRIMARY KEY (message, account)
) STRICT, WITHOUT ROWID;
CREATE INDEX inbox_waiting ON inbox (account, message) WHERE fate < 2;

-- What a durable session's subscriptions matched and it has not yet acknowledged.
CREATE TABLE queue (
    session         BLOB    NOT NULL,
    message         INTEGER NOT NULL,
    qos             INTEGER NOT NULL,
    PRIMARY KEY (session, message)
) STRICT, WITHOUT ROWID;

-- The last publications of each client that it may send again after a broken connection (MQTT 5 §4.4).
CREATE TABLE origin (
    account         BLOB    NOT NULL,
    client_id       TEXT    NOT NULL,
    packet          INTEGER NOT NULL,
    digest          BLOB    NOT NULL,
    message         BLOB    NOT NULL,                   -- id of the message it became
    at              INTEGER NOT NULL,
    PRIMARY KEY (account, client_id, packet)
) STRICT, WITHOUT ROWID;

CREATE TABLE room (
    name            TEXT    NOT NULL PRIMARY KEY,
    created_at      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE room_member (
    room            TEXT    NOT NULL REFERENCES room (name) ON DELETE CASCADE,
    account         BLOB    NOT NULL,
    PRIMARY KEY (room, account)
) STRICT, WITHOUT ROWID;

-- Every certificate and its state. The row is committed as `intended` before the key signs.
CREATE TABLE certificate (
    serial          TEXT    NOT NULL PRIMARY KEY,       -- upper-case hex
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
    created_at      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX certificate_account ON certificate (account, created_at);
CREATE INDEX certificate_spki ON certificate (spki);
CREATE INDEX certificate_revoked ON certificate (revoked_at) WHERE state = 'revoked';

-- One-time enrolment tokens: only the hash is kept.
CREATE TABLE token (
    hash            BLOB    NOT NULL PRIMARY KEY,
    account         BLOB    NOT NULL,
    profile         TEXT    NOT NULL,
    expires_at      INTEGER NOT NULL,
    used_at         INTEGER
) STRICT, WITHOUT ROWID;

-- What must leave the house: one recipient's trip.
CREATE TABLE envelope (
    id              BLOB    NOT NULL PRIMARY KEY,
    account         BLOB    NOT NULL,
    recipient       TEXT    NOT NULL,                   -- mail address
    route           TEXT    NOT NULL,                   -- 'mail'
    state           TEXT    NOT NULL CHECK (state IN ('waiting', 'sending', 'delivered', 'deferred', 'bounced', 'cancelled')),
    waiting         INTEGER NOT NULL,                   -- how many messages the notice tells of
    attempts        INTEGER NOT NULL,
    next_at         INTEGER NOT NULL,
    lease_until     INTEGER,
    detail          TEXT,
    created_at      INTEGER NOT NULL
) STRICT;
CREATE INDEX envelope_due ON envelope (next_at) WHERE state IN ('waiting', 'deferred', 'sending');
CREATE INDEX envelope_account ON envelope (account, created_at);

CREATE TABLE peer (
    domain          TEXT    NOT NULL PRIMARY KEY,
    checked_at      INTEGER,
    verdict         TEXT,                               -- JSON of the last check
    created_at      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE audit (
    seq             INTEGER PRIMARY KEY,
    at              INTEGER NOT NULL,
    actor           TEXT    NOT NULL,
    deed            TEXT    NOT NULL,
    subject         TEXT    NOT NULL,
    details         TEXT    NOT NULL,
    hash            BLOB    NOT NULL
) STRICT;

CREATE TABLE admin (
    name            TEXT    NOT NULL PRIMARY KEY,
    password        TEXT    NOT NULL,
    created_at      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE console_link (
    hash            BLOB    NOT NULL PRIMARY KEY,
    expires_at      INTEGER NOT NULL,
    used_at         INTEGER
) STRICT, WITHOUT ROWID;
CREATE TABLE console_session (
    hash            BLOB    NOT NULL PRIMARY KEY,
    admin           TEXT    NOT NULL REFERENCES admin (name) ON DELETE CASCADE,
    csrf            TEXT    NOT NULL,
    created_at      INTEGER NOT NULL,
    seen_at         INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Single values: the audit head, how far the sweeps came, the CRL number.
CREATE TABLE mark (
    name            TEXT    NOT NULL PRIMARY KEY,
    value           INTEGER NOT NULL,
    data            BLOB
) STRICT, WITHOUT ROWID;
