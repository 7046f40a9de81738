-- Every three characters in a row, without their places: a search asks for all of its own and looks at what is left.
CREATE VIRTUAL TABLE log_index USING fts5(
    searched, content = '', contentless_delete = 1, detail = none, tokenize = 'trigram case_sensitive 1'
);
CREATE TRIGGER log_line_added AFTER INSERT ON log_lines BEGIN
    INSERT INTO log_index (rowid, searched) VALUES (new.key, new.searched);
END;
CREATE TRIGGER log_line_removed AFTER DELETE ON log_lines BEGIN
    DELETE FROM log_index WHERE rowid = old.key;
END;
INSERT INTO log_lines (key, preview, id, at, level, source, stream, message, searched, fields)
    SELECT previews.number * 4294967296 + logs.id, previews.number, logs.id, at, level, source, stream, message,
           lower(message), fields
    FROM logs JOIN previews ON previews.id = logs.preview_id;
DROP TABLE logs;
