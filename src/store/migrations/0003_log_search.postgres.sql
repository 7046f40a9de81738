INSERT INTO log_lines (key, preview, id, at, level, source, stream, message, searched, fields)
    SELECT previews.number * 4294967296 + logs.id, previews.number, logs.id, at, level, source, stream, message,
           lower(message), fields
    FROM logs JOIN previews ON previews.id = logs.preview_id;
DROP TABLE logs;
-- The extension comes with PostgreSQL, but not every installation has it or lets us have it. Without it a search reads
-- all lines of its preview.
DO $$
BEGIN
    CREATE EXTENSION IF NOT EXISTS pg_trgm;
    CREATE INDEX log_lines_searched ON log_lines USING gin (searched gin_trgm_ops);
EXCEPTION WHEN OTHERS THEN
    RAISE NOTICE 'pg_trgm is not there: %', SQLERRM;
END
$$;
