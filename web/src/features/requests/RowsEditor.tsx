import { Plus, Trash2 } from "lucide-react";
import { Button, classes, IconButton } from "../../shared/ui/Button";
import { type Row, row } from "./draft";
import { FileInput } from "./FileInput";
import css from "./requests.module.css";
import { ValueInput } from "./ValueInput";
import type { FieldError } from "./validation";

export interface RowsEditorProps {
  /** What the rows are: `query parameter`, `header`, `field`. */
  noun: string;
  rows: readonly Row[];
  onChange: (rows: Row[]) => void;
  errors?: readonly FieldError[];
  /** Whether a row may be a file. */
  files?: boolean;
}

/** Names and values, each to be switched off; those that the schema names come first and stay. */
export function RowsEditor({ noun, rows, onChange, errors = [], files = false }: RowsEditorProps) {
  const set = (key: string, change: Partial<Row>) =>
    onChange(rows.map((row) => (row.key === key ? { ...row, ...change } : row)));
  return (
    <div className={css.rows}>
      {rows.map((entry) => (
        <RowEditor
          key={entry.key}
          entry={entry}
          noun={noun}
          error={errors.find((candidate) => same(candidate.field, entry.name))}
          onChange={(change) => set(entry.key, change)}
          onRemove={() => onChange(rows.filter((row) => row.key !== entry.key))}
        />
      ))}
      <div className={css.add}>
        <Button
          size="small"
          look="quiet"
          icon={<Plus size={14} />}
          onClick={() => onChange([...rows, row()])}
        >
          Add {noun}
        </Button>
        {files && (
          <Button
            size="small"
            look="quiet"
            icon={<Plus size={14} />}
            onClick={() => onChange([...rows, row("", "", { file: null })])}
          >
            Add file
          </Button>
        )}
      </div>
    </div>
  );
}

interface RowEditorProps {
  entry: Row;
  noun: string;
  error: FieldError | undefined;
  onChange: (change: Partial<Row>) => void;
  onRemove: () => void;
}

function RowEditor({ entry, noun, error, onChange, onRemove }: RowEditorProps) {
  const fixed = entry.type !== undefined;
  const name = entry.name || `new ${noun}`;
  return (
    <div className={css.row}>
      <input
        type="checkbox"
        aria-label={`Send ${name}`}
        checked={entry.enabled}
        onChange={(event) => onChange({ enabled: event.target.checked })}
      />
      {fixed ? (
        <FixedName entry={entry} />
      ) : (
        <input
          className={css.input}
          aria-label={`Name of ${noun}`}
          placeholder="name"
          value={entry.name}
          onChange={(event) => onChange({ name: event.target.value })}
        />
      )}
      {entry.file === undefined ? (
        <ValueInput
          entry={entry}
          name={name}
          invalid={error !== undefined}
          onChange={(value) => onChange({ value, enabled: !fixed || entry.required || value !== "" })}
        />
      ) : (
        <FileInput
          label={`File for ${name}`}
          file={entry.file}
          onPick={(file) => onChange({ file, enabled: true })}
        />
      )}
      {fixed ? (
        <span />
      ) : (
        <IconButton size="small" label={`Remove ${name}`} icon={<Trash2 size={14} />} onClick={onRemove} />
      )}
      {error && <p className={classes(css.fieldError, css.underRow)}>{error.message}</p>}
      {!error && entry.description && <p className={classes(css.about, css.underRow)}>{entry.description}</p>}
    </div>
  );
}

function FixedName({ entry }: { entry: Row }) {
  return (
    <span className={css.name}>
      <span>{entry.name}</span>{" "}
      <span className={css.type}>
        {entry.type}
        {entry.required && ", required"}
      </span>
    </span>
  );
}

/** Headers are told with hyphens or underscores, in any case. */
const same = (a: string, b: string) =>
  a.toLowerCase().replaceAll("_", "-") === b.toLowerCase().replaceAll("_", "-");
