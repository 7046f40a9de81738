-- What previews were asked and what they answered, the last ones of each generation.
CREATE TABLE requests (
    generation_id TEXT NOT NULL REFERENCES generations (id) ON DELETE CASCADE,
    id BIGINT NOT NULL,
    preview_id TEXT NOT NULL,
    revision BIGINT NOT NULL,
    at BIGINT NOT NULL,
    request_id TEXT NOT NULL,
    via TEXT NOT NULL,
    method TEXT NOT NULL,
    target TEXT NOT NULL,
    status BIGINT,
    duration_micros BIGINT NOT NULL,
    request_bytes BIGINT NOT NULL,
    response_bytes BIGINT NOT NULL,
    detail TEXT NOT NULL,
    PRIMARY KEY (generation_id, id)
);

-- The start that serves, and whether there is none until somebody asks.
ALTER TABLE previews ADD COLUMN slot BIGINT;
ALTER TABLE previews ADD COLUMN asleep BIGINT NOT NULL DEFAULT 0;
