-- What serves a generation, as its source was last read; which revision that was.
ALTER TABLE generations ADD COLUMN found_entrypoint TEXT;
ALTER TABLE generations ADD COLUMN found_revision BIGINT;
