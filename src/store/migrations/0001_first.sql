-- One text for SQLite and PostgreSQL: BLOB_TYPE alone differs. Moments are milliseconds since 1970.

-- Taking the next number of a counter also queues the transactions that take it, on either database.
CREATE TABLE counters (
    name TEXT PRIMARY KEY,
    value BIGINT NOT NULL
);
INSERT INTO counters (name, value) VALUES ('generations', 0), ('previews', 0);

CREATE TABLE users (
    id TEXT PRIMARY KEY,
    created_at BIGINT NOT NULL
);

CREATE TABLE projects (
    id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id),
    name TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX projects_of_user ON projects (user_id);

CREATE TABLE generations (
    id TEXT PRIMARY KEY,
    number BIGINT NOT NULL UNIQUE,
    project_id TEXT NOT NULL REFERENCES projects (id),
    user_id TEXT NOT NULL REFERENCES users (id),
    name TEXT NOT NULL,
    revision BIGINT NOT NULL CHECK (revision > 0),
    entrypoint TEXT,
    file_count BIGINT NOT NULL,
    total_bytes BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX generations_of_user ON generations (user_id, number);
CREATE INDEX generations_of_project ON generations (project_id);

CREATE TABLE blobs (
    sha256 TEXT PRIMARY KEY,
    content BLOB_TYPE NOT NULL
);

CREATE TABLE files (
    generation_id TEXT NOT NULL REFERENCES generations (id) ON DELETE CASCADE,
    path TEXT NOT NULL,
    size BIGINT NOT NULL,
    sha256 TEXT NOT NULL REFERENCES blobs (sha256),
    PRIMARY KEY (generation_id, path)
);
CREATE INDEX files_with_content ON files (sha256);

CREATE TABLE previews (
    id TEXT PRIMARY KEY,
    number BIGINT NOT NULL UNIQUE,
    generation_id TEXT NOT NULL REFERENCES generations (id) ON DELETE CASCADE,
    project_id TEXT NOT NULL REFERENCES projects (id),
    user_id TEXT NOT NULL REFERENCES users (id),
    status TEXT NOT NULL CHECK (status IN ('launching', 'running', 'failed', 'stopped')),
    port BIGINT CHECK (port BETWEEN 1 AND 65535),
    revision BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    started_at BIGINT,
    expires_at BIGINT NOT NULL,
    stopped_at BIGINT,
    stop_reason TEXT,
    failure TEXT,
    health TEXT NOT NULL CHECK (health IN ('unknown', 'healthy', 'unhealthy')),
    last_health_check BIGINT,
    launch TEXT NOT NULL
);
CREATE UNIQUE INDEX previews_one_active_per_generation ON previews (generation_id)
    WHERE status IN ('launching', 'running');
CREATE UNIQUE INDEX previews_one_active_per_port ON previews (port)
    WHERE status IN ('launching', 'running');
CREATE INDEX previews_of_generation ON previews (generation_id, number);
CREATE INDEX previews_of_user ON previews (user_id, number);

CREATE TABLE logs (
    preview_id TEXT NOT NULL REFERENCES previews (id) ON DELETE CASCADE,
    id BIGINT NOT NULL,
    at BIGINT NOT NULL,
    level TEXT NOT NULL,
    source TEXT NOT NULL,
    stream TEXT NOT NULL,
    message TEXT NOT NULL,
    fields TEXT,
    PRIMARY KEY (preview_id, id)
);
