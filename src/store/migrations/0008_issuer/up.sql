-- Which issuing CA of the house signed it, counted from 1: there was one only before it could be rolled over.
ALTER TABLE certificate ADD COLUMN issuer INTEGER NOT NULL DEFAULT 1;
-- When the last certificate of an issuing CA ends, which is asked while there is more than one.
CREATE INDEX certificate_issuer ON certificate (issuer, not_after);
-- As before, and with what tells one list from another.
DROP INDEX certificate_revoked;
CREATE INDEX certificate_revoked ON certificate (state, not_after, revoked_at, reason, issuer) WHERE state = 'revoked';
