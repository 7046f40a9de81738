/** Values that read like the field's name, so that a body can often be sent as it is. */
const BY_NAME: readonly [RegExp, unknown][] = [
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

/** A body for these fields (name to OpenAPI type), as indented JSON. */
export function sampleBody(fields: Record<string, string>): string {
  const only = fields.$;
  const value = only === undefined ? Object.fromEntries(Object.entries(fields).map(sample)) : of("", only);
  return JSON.stringify(value, null, 2);
}

function sample([name, type]: [string, string]): [string, unknown] {
  return [name, of(name, type)];
}

function of(name: string, type: string): unknown {
  switch (type) {
    case "integer":
      return /year/i.test(name) ? 2026 : 1;
    case "number":
      return /price|cost|amount/i.test(name) ? 9.99 : 1;
    case "boolean":
      return true;
    case "array":
      return [];
    case "object":
      return {};
    case "null":
      return null;
    default:
      return BY_NAME.find(([pattern]) => pattern.test(name))?.[1] ?? "string";
  }
}
