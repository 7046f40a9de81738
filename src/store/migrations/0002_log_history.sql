-- Lines under one number, so that an index of their words can name them: the preview's number, times 2^32, plus the line's.
-- `searched` is the message without colours, in lower case.
CREATE TABLE log_lines (
    key BIG_KEY PRIMARY KEY,
    preview BIGINT NOT NULL REFERENCES previews (number) ON DELETE CASCADE,
    id BIGINT NOT NULL,
    at BIGINT NOT NULL,
    level TEXT NOT NULL,
    source TEXT NOT NULL,
    stream TEXT NOT NULL,
    message TEXT NOT NULL,
    searched TEXT NOT NULL,
    fields TEXT
);
CREATE INDEX log_lines_of_preview ON log_lines (preview);
