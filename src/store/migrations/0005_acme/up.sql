-- Clients of ACME: a key that was bound to what a token granted, and what it ordered.
CREATE TABLE acme_account (
    id              TEXT    NOT NULL PRIMARY KEY,
    thumbprint      TEXT    NOT NULL UNIQUE,            -- of the key (RFC 7638)
    key             TEXT    NOT NULL,                   -- JWK
    account         BLOB    NOT NULL,
    profile         TEXT    NOT NULL,
    names           TEXT    NOT NULL,                   -- JSON, as the token had them
    contact         TEXT    NOT NULL,                   -- JSON
    deactivated     INTEGER NOT NULL DEFAULT 0,
    created_at      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX acme_account_account ON acme_account (account);

CREATE TABLE acme_order (
    id              TEXT    NOT NULL PRIMARY KEY,
    acme_account    TEXT    NOT NULL,
    identifiers     TEXT    NOT NULL,                   -- JSON: [[type, value], …]
    state           TEXT    NOT NULL CHECK (state IN ('ready', 'processing', 'valid')),
    replaces        TEXT,                               -- a serial
    serial          TEXT,
    expires_at      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX acme_order_account ON acme_order (acme_account, expires_at);
CREATE INDEX acme_order_replaces ON acme_order (replaces) WHERE replaces IS NOT NULL;
CREATE INDEX acme_order_serial ON acme_order (serial) WHERE serial IS NOT NULL;
