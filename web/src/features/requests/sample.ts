import type { ValueSchema } from "../../api/types";

/** Values that read like the field's name, so that a body can often be sent as it is. */
const BY_NAME: readonly [RegExp, string][] = [
  [/e?mail/i, "ada@example.com"],
  [/^(user_?name|login|handle)$/i, "ada"],
  [/first_?name/i, "Ada"],
  [/last_?name|surname/i, "Lovelace"],
  [/(^|_)name$|^author$/i, "Ada Lovelace"],
  [/password|secret/i, "correct horse battery staple"],
  [/phone/i, "+44 20 7946 0018"],
  [/(url|link|website)$/i, "https://example.com"],
  [/title|subject/i, "A first title"],
  [/description|content|text|body|note|comment|bio|message/i, "A few words."],
  [/isbn/i, "9780141439518"],
  [/(date|_at|_on)$/i, "2026-01-31T12:00:00Z"],
  [/colou?r/i, "blue"],
  [/currency/i, "EUR"],
  [/country/i, "GB"],
  [/city/i, "London"],
];

const BY_FORMAT: Record<string, string> = {
  email: "ada@example.com",
  "date-time": "2026-01-31T12:00:00Z",
  date: "2026-01-31",
  time: "12:00:00",
  duration: "PT1H",
  uuid: "3f2b8c1e-5a64-4d2e-9b07-1c0d5e8f7a21",
  uri: "https://example.com",
  ipv4: "192.0.2.1",
};

/** A body for this schema, as indented JSON. */
export function sampleText(schema: ValueSchema): string {
  return JSON.stringify(sample("", schema), null, 2);
}

/** What the schema proposes; else a value of its type that reads like the field's name. */
function sample(name: string, schema: ValueSchema): unknown {
  const examples = Array.isArray(schema.examples) ? schema.examples[0] : undefined;
  const proposed = schema.example ?? examples ?? schema.default ?? schema.const ?? schema.enum?.[0];
  if (proposed !== undefined) return proposed;
  switch (schema.type) {
    case "integer":
      return /year/i.test(name) ? 2026 : 1;
    case "number":
      return /price|cost|amount/i.test(name) ? 9.99 : 1;
    case "boolean":
      return true;
    case "array":
      return schema.items ? [sample(name.replace(/s$/, ""), schema.items)] : [];
    case "object":
      return objectOf(schema);
    case "null":
      return null;
    default:
      return BY_FORMAT[schema.format ?? ""] ?? BY_NAME.find(([like]) => like.test(name))?.[1] ?? "string";
  }
}

/** A field of a form: what its body in JSON would have, as text. */
export function valueFor(name: string, schema: ValueSchema): string {
  return textOf(sample(name, schema)) ?? "";
}

function objectOf({ properties = {} }: ValueSchema): Record<string, unknown> {
  return Object.fromEntries(Object.entries(properties).map(([name, field]) => [name, sample(name, field)]));
}

/** A value as it stands in an address or a form; `null` for what has no such text. */
export function textOf(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  return typeof value === "object" ? null : String(value);
}
