import type { Row } from "./draft";
import css from "./requests.module.css";

export interface ValueInputProps {
  entry: Row;
  name: string;
  invalid: boolean;
  onChange: (value: string) => void;
}

/** A value: chosen where the schema lists the values, else typed. */
export function ValueInput({ entry, name, invalid, onChange }: ValueInputProps) {
  const shared = {
    className: css.input,
    "aria-label": `Value of ${name}`,
    "aria-invalid": invalid || undefined,
  };
  const choices = entry.choices ?? (entry.type === "boolean" ? ["true", "false"] : null);
  if (choices !== null) {
    const none = entry.usual === undefined ? "not sent" : `not sent: ${entry.usual}`;
    return (
      <select {...shared} value={entry.value} onChange={(event) => onChange(event.target.value)}>
        <option value="">{none}</option>
        {choices.map((choice) => (
          <option key={choice} value={choice}>
            {choice}
          </option>
        ))}
      </select>
    );
  }
  const numeric = entry.type === "integer" || entry.type === "number";
  const free = entry.type === undefined ? "value" : "";
  return (
    <input
      {...shared}
      inputMode={numeric ? "decimal" : undefined}
      type={/password|secret/i.test(entry.name) ? "password" : "text"}
      autoComplete="off"
      placeholder={entry.usual === undefined ? free : `${entry.usual} if not sent`}
      value={entry.value}
      onChange={(event) => onChange(event.target.value)}
    />
  );
}
