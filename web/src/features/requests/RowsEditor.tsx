import { Plus, Trash2 } from "lucide-react";
import { Button, classes, IconButton } from "../../shared/ui/Button";
import { type Row, row } from "./draft";
import css from "./requests.module.css";
import type { FieldError } from "./validation";

export interface RowsEditorProps {
  /** What the rows are: `query parameter`, `header`, `field`. */
  noun: string;
  rows: readonly Row[];
  onChange: (rows: Row[]) => void;
  errors?: readonly FieldError[];
}

/** Names and values, each to be switched off; those that the schema names come first and stay. */
export function RowsEditor({ noun, rows, onChange, errors = [] }: RowsEditorProps) {
  const set = (key: string, change: Partial<Row>) =>
    onChange(rows.map((row) => (row.key === key ? { ...row, ...change } : row)));
  return (
    <div className={css.rows}>
      {rows.map((entry) => {
        const fixed = entry.type !== undefined;
        const error = errors.find((candidate) => same(candidate.field, entry.name));
        const name = entry.name || `new ${noun}`;
        return (
          <div key={entry.key} className={css.row}>
            <input
              type="checkbox"
              aria-label={`Send ${name}`}
              checked={entry.enabled}
              onChange={(event) => set(entry.key, { enabled: event.target.checked })}
            />
            {fixed ? (
              <span className={css.name}>
                <span>{entry.name}</span> <span className={css.type}>{entry.type}</span>
              </span>
            ) : (
              <input
                className={css.input}
                aria-label={`Name of ${noun}`}
                placeholder="name"
                value={entry.name}
                onChange={(event) => set(entry.key, { name: event.target.value })}
              />
            )}
            <ValueInput
              entry={entry}
              name={name}
              invalid={error !== undefined}
              onChange={(value) => set(entry.key, { value, enabled: fixed ? value !== "" : true })}
            />
            {fixed ? (
              <span />
            ) : (
              <IconButton
                size="small"
                label={`Remove ${name}`}
                icon={<Trash2 size={14} />}
                onClick={() => onChange(rows.filter((row) => row.key !== entry.key))}
              />
            )}
            {error && <p className={classes(css.fieldError, css.underRow)}>{error.message}</p>}
          </div>
        );
      })}
      <Button
        size="small"
        look="quiet"
        className={css.add}
        icon={<Plus size={14} />}
        onClick={() => onChange([...rows, row()])}
      >
        Add {noun}
      </Button>
    </div>
  );
}

interface ValueInputProps {
  entry: Row;
  name: string;
  invalid: boolean;
  onChange: (value: string) => void;
}

function ValueInput({ entry, name, invalid, onChange }: ValueInputProps) {
  const shared = {
    className: css.input,
    "aria-label": `Value of ${name}`,
    "aria-invalid": invalid || undefined,
  };
  if (entry.type === "boolean") {
    return (
      <select {...shared} value={entry.value} onChange={(event) => onChange(event.target.value)}>
        <option value="">not sent</option>
        <option value="true">true</option>
        <option value="false">false</option>
      </select>
    );
  }
  const numeric = entry.type === "integer" || entry.type === "number";
  return (
    <input
      {...shared}
      inputMode={numeric ? "decimal" : undefined}
      placeholder={entry.type === undefined ? "value" : ""}
      value={entry.value}
      onChange={(event) => onChange(event.target.value)}
    />
  );
}

/** Headers are told with hyphens or underscores, in any case. */
const same = (a: string, b: string) =>
  a.toLowerCase().replaceAll("_", "-") === b.toLowerCase().replaceAll("_", "-");
