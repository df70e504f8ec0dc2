-- A token has a name of its own, under which protocols speak of it without telling it, and more to allow than a profile.
ALTER TABLE token ADD COLUMN id TEXT;                            -- NULL for those of before, which have a day to live
ALTER TABLE token ADD COLUMN names TEXT NOT NULL DEFAULT '[]';   -- JSON: the names that the directory does not know
ALTER TABLE token ADD COLUMN misses INTEGER NOT NULL DEFAULT 0;  -- how often a wrong secret came under its name
CREATE UNIQUE INDEX token_id ON token (id);
