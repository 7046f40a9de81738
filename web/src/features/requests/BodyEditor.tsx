import { toBase64 } from "../../shared/lib/bytes";
import { bytes } from "../../shared/lib/format";
import { classes } from "../../shared/ui/Button";
import { Code } from "../../shared/ui/Code";
import type { BodyDraft, BodyMode } from "./draft";
import { RowsEditor } from "./RowsEditor";
import css from "./requests.module.css";
import type { FieldError } from "./validation";

const MODES: readonly [BodyMode, string][] = [
  ["none", "None"],
  ["json", "JSON"],
  ["form", "Form"],
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
      {errors.length > 0 && (
        <ul className={css.bodyErrors} aria-label="Fields that were refused">
          {errors.map((error) => (
            <li key={`${error.where}.${error.field}`} className={css.fieldError}>
              <code>{error.field || error.where}</code> {error.message}
            </li>
          ))}
        </ul>
      )}
      <Editor body={body} onChange={onChange} onSubmit={onSubmit} fields={fields} />
    </div>
  );
}

function Editor({ body, onChange, onSubmit, fields }: Omit<BodyEditorProps, "errors">) {
  switch (body.mode) {
    case "none":
      return <p className={css.hint}>This request has no body.</p>;
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
          className={css.editor}
        />
      );
    case "form":
      return <RowsEditor noun="field" rows={body.form} onChange={(form) => onChange({ ...body, form })} />;
    case "file":
      return <FilePicker body={body} onChange={onChange} />;
  }
}

function FilePicker({ body, onChange }: Pick<BodyEditorProps, "body" | "onChange">) {
  const take = async (file: File | undefined) => {
    if (!file) return;
    const base64 = toBase64(new Uint8Array(await file.arrayBuffer()));
    onChange({ ...body, file: { name: file.name, type: file.type, size: file.size, base64 } });
  };
  return (
    <div className={css.file}>
      <label>
        <span className={css.hint}>The file's bytes are the body of the request.</span>
        <input type="file" onChange={(event) => void take(event.target.files?.[0])} />
      </label>
      {body.file && (
        <p className={css.hint}>
          {body.file.name}, {bytes(body.file.size)}
        </p>
      )}
    </div>
  );
}
