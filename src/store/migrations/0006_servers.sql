-- The servers that share a store, and which of them holds a preview. One that shares with nobody has no name.
CREATE TABLE servers (
    id TEXT PRIMARY KEY,
    address TEXT NOT NULL
);
ALTER TABLE previews ADD COLUMN server TEXT NOT NULL DEFAULT '';
DROP INDEX previews_one_active_per_port;
CREATE UNIQUE INDEX previews_one_active_per_port ON previews (server, port)
    WHERE status IN ('launching', 'running');
