import type { Endpoint, Parameter, ValueSchema } from "../../api/types";
import { sampleText, textOf, valueFor } from "./sample";

/** A file to send, read into the page. */
export interface PickedFile {
  name: string;
  type: string;
  base64: string;
  size: number;
}

/** One line of a table of names and values. */
export interface Row {
  /** Stable for as long as the row is shown. */
  key: string;
  name: string;
  value: string;
  enabled: boolean;
  /** OpenAPI type, where the schema names it: such a row's name is fixed. */
  type?: string;
  required?: boolean;
  /** What the schema says about it. */
  description?: string;
  /** The only values that it may have. */
  choices?: string[];
  /** What the application takes where nothing is sent. */
  usual?: string;
  /** Of a form: the row takes a file, and this is it. */
  file?: PickedFile | null;
}

export type BodyMode = "none" | "json" | "form" | "multipart" | "text" | "file";

export interface BodyDraft {
  mode: BodyMode;
  /** What is typed, for `json` and `text`. */
  text: string;
  /** Fields, for `form` and `multipart`. */
  form: Row[];
  file: PickedFile | null;
}

export type Auth =
  | { kind: "none" }
  | { kind: "bearer"; token: string }
  | { kind: "basic"; user: string; password: string };

/** A request as the person is writing it. */
export interface Draft {
  method: string;
  /** With `{name}` where a value goes. */
  path: string;
  pathValues: Record<string, string>;
  query: Row[];
  headers: Row[];
  body: BodyDraft;
  auth: Auth;
}

export const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"] as const;

/** Rows outlive the page in the history: their keys must differ from the next page's. */
const page = Math.random().toString(36).slice(2);
let rows = 0;

/** A row with a key of its own. */
export function row(name = "", value = "", extra: Partial<Row> = {}): Row {
  rows += 1;
  return { key: `${page}-${rows}`, name, value, enabled: true, ...extra };
}

export const EMPTY_BODY: BodyDraft = { mode: "none", text: "", form: [], file: null };

export function blankDraft(): Draft {
  return {
    method: "GET",
    path: "/",
    pathValues: {},
    query: [],
    headers: [],
    body: EMPTY_BODY,
    auth: { kind: "none" },
  };
}

/** The form of an endpoint, filled in as far as its schema allows. */
export function draftFor(endpoint: Endpoint): Draft {
  const parameters = endpoint.parameters ?? [];
  const inPlace = (place: string) => parameters.filter((one) => one.in === place);
  const values = new Map(inPlace("path").map((one) => [one.name, startOf(one.schema)]));
  return {
    ...blankDraft(),
    method: endpoint.method,
    path: endpoint.path,
    pathValues: Object.fromEntries(pathNames(endpoint.path).map((name) => [name, values.get(name) ?? ""])),
    query: inPlace("query").map(parameterRow),
    headers: inPlace("header")
      .filter(({ name }) => name.toLowerCase() !== "authorization")
      .map(parameterRow),
    body: endpoint.body ? bodyFor(endpoint.body.contentType, endpoint.body.schema) : EMPTY_BODY,
  };
}

function parameterRow({ name, required, schema }: Parameter): Row {
  return fieldRow(name, schema, required, required ? startOf(schema) : "");
}

/** What a parameter starts with: what the schema proposes, and 1 for a number that is asked for. */
function startOf(schema: ValueSchema): string {
  const proposed = schema.example ?? schema.default ?? schema.const ?? schema.enum?.[0];
  return textOf(proposed) ?? (schema.type === "integer" ? "1" : "");
}

/** A required field is sent in any case; another once it has a value. */
function fieldRow(name: string, schema: ValueSchema, required: boolean, value: string): Row {
  const choices = (schema.enum ?? []).flatMap((one) => textOf(one) ?? []);
  const usual = textOf(schema.default);
  return row(name, value, {
    type: schema.type ?? "string",
    enabled: required || value !== "",
    required,
    ...(schema.description ? { description: schema.description } : {}),
    ...(choices.length > 0 ? { choices } : {}),
    ...(usual === null ? {} : { usual }),
  });
}

function bodyFor(contentType: string, schema: ValueSchema): BodyDraft {
  if (/json/.test(contentType)) return { ...EMPTY_BODY, mode: "json", text: sampleText(schema) };
  const form = formRows(schema);
  if (contentType.startsWith("multipart/")) return { ...EMPTY_BODY, mode: "multipart", form };
  if (contentType.includes("urlencoded")) return { ...EMPTY_BODY, mode: "form", form };
  return { ...EMPTY_BODY, mode: contentType.startsWith("text/") ? "text" : "file" };
}

/** A login's fields stay empty: a made-up user is no help. OAuth2 says in a pattern what `grant_type` must be. */
function formRows({ properties = {}, required = [] }: ValueSchema): Row[] {
  const login = "password" in properties;
  return Object.entries(properties).map(([name, field]) => {
    const needed = required.includes(name);
    if (isFile(field)) return row(name, "", { type: "file", file: null, enabled: needed, required: needed });
    if (name === "grant_type") return fieldRow(name, field, needed, "password");
    return fieldRow(name, field, needed, needed && !login ? valueFor(name, field) : "");
  });
}

const isFile = (field: ValueSchema): boolean =>
  field.format === "binary" || (field.type === "array" && field.items?.format === "binary");

/** Names between braces, `{path:path}` without its converter. */
export function pathNames(path: string): string[] {
  return [...path.matchAll(/\{([^{}:/]+)(?::[^{}]*)?\}/g)].map((match) => match[1] ?? "");
}
