import { classes } from "../../shared/ui/Button";
import { Code } from "../../shared/ui/Code";
import type { BodyDraft, BodyMode } from "./draft";
import { FileInput } from "./FileInput";
import { RowsEditor } from "./RowsEditor";
import css from "./requests.module.css";
import shared from "./shared.module.css";
import type { FieldError } from "./validation";

const MODES: readonly [BodyMode, string][] = [
  ["none", "None"],
  ["json", "JSON"],
  ["form", "Form"],
  ["multipart", "Multipart"],
  ["text", "Text"],
  ["file", "File"],
];

export interface BodyEditorProps {
  body: BodyDraft;
  onChange: (body: BodyDraft) => void;
  onSubmit: () => void;
  /** Field names to complete, from the schema. */
  fields: readonly string[];
  errors: readonly FieldError[];
}

export function BodyEditor({ body, onChange, onSubmit, fields, errors }: BodyEditorProps) {
  const inRows = body.mode === "form" || body.mode === "multipart";
  const named = new Set(inRows ? body.form.map(({ name }) => name) : []);
  const elsewhere = errors.filter(({ field }) => !named.has(field));
  return (
    <div className={css.body}>
      <fieldset className={css.modes}>
        <legend className="pv-sr-only">Kind of body</legend>
        {MODES.map(([mode, label]) => (
          <label key={mode} className={classes(css.mode, body.mode === mode && css.chosen)}>
            <input
              type="radio"
              name="body-mode"
              className="pv-sr-only"
              checked={body.mode === mode}
              onChange={() => onChange({ ...body, mode })}
            />
            {label}
          </label>
        ))}
      </fieldset>
      {elsewhere.length > 0 && (
        <ul className={css.bodyErrors} aria-label="Fields that were refused">
          {elsewhere.map((error) => (
            <li key={`${error.where}.${error.field}`} className={css.fieldError}>
              <code>{error.field || error.where}</code> {error.message}
            </li>
          ))}
        </ul>
      )}
      <Editor body={body} onChange={onChange} onSubmit={onSubmit} fields={fields} errors={errors} />
    </div>
  );
}

function Editor({ body, onChange, onSubmit, fields, errors }: BodyEditorProps) {
  switch (body.mode) {
    case "none":
      return <p className={shared.hint}>This request has no body.</p>;
    case "json":
    case "text":
      return (
        <Code
          label="Request body"
          language={body.mode === "json" ? "json" : "text"}
          value={body.text}
          onChange={(text) => onChange({ ...body, text })}
          onSubmit={onSubmit}
          words={fields}
          refused={body.mode === "json" ? errors : undefined}
          className={shared.editor}
        />
      );
    case "form":
    case "multipart":
      return (
        <RowsEditor
          noun="field"
          rows={body.form}
          onChange={(form) => onChange({ ...body, form })}
          errors={errors}
          files={body.mode === "multipart"}
        />
      );
    case "file":
      return (
        <div className={css.file}>
          <p className={shared.hint}>The file's bytes are the body of the request.</p>
          <FileInput label="File to send" file={body.file} onPick={(file) => onChange({ ...body, file })} />
        </div>
      );
  }
}
