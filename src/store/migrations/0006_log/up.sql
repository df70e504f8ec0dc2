-- The log of what was issued: an append-only Merkle tree (RFC 9162), kept in every eighth of its heights.
CREATE TABLE log_row (
    level           INTEGER NOT NULL,                   -- 0: a certificate, 1: the root over 256, 2: over 65,536
    place           INTEGER NOT NULL,
    hash            BLOB    NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (level DESC, place)                     -- so that appending appends
) STRICT, WITHOUT ROWID;

-- The right edge of the tree, from which it grows.
CREATE TABLE log_edge (
    id              INTEGER NOT NULL PRIMARY KEY CHECK (id = 0),
    edge            BLOB    NOT NULL,
    published       INTEGER NOT NULL                    -- the largest size that was signed
) STRICT;
INSERT INTO log_edge (id, edge, published) VALUES (0, zeroblob(8), 0);

ALTER TABLE certificate ADD COLUMN log_place INTEGER;   -- NULL until it was signed and entered
CREATE UNIQUE INDEX certificate_log ON certificate (log_place) WHERE log_place IS NOT NULL;
