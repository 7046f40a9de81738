import type { Endpoint } from "../../api/types";
import { sampleBody } from "./sample";

/** One line of a table of names and values. */
export interface Row {
  /** Stable for as long as the row is shown. */
  key: string;
  name: string;
  value: string;
  enabled: boolean;
  /** OpenAPI type, where the schema names it: such a row's name is fixed. */
  type?: string;
}

export type BodyMode = "none" | "json" | "form" | "text" | "file";

export interface BodyDraft {
  mode: BodyMode;
  /** What is typed, for `json` and `text`. */
  text: string;
  form: Row[];
  file: { name: string; type: string; base64: string; size: number } | null;
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
  const schema = endpoint.requestSchema ?? {};
  const fields = endpoint.requestBody;
  const typed = (of: Record<string, string> | undefined) =>
    Object.entries(of ?? {}).map(([name, type]) => row(name, "", { type, enabled: false }));
  return {
    ...blankDraft(),
    method: endpoint.method,
    path: endpoint.path,
    pathValues: Object.fromEntries(pathNames(endpoint.path).map((name) => [name, ""])),
    query: typed(schema.query),
    headers: typed(schema.header),
    body: fields ? bodyFor(fields) : EMPTY_BODY,
  };
}

/** OAuth's password form is the one form that the names of its fields give away. */
function bodyFor(fields: Record<string, string>): BodyDraft {
  const oauth = "grant_type" in fields && "username" in fields && "password" in fields;
  if (!oauth) return { ...EMPTY_BODY, mode: "json", text: sampleBody(fields) };
  const form = [row("username"), row("password"), row("grant_type", "password")];
  return { ...EMPTY_BODY, mode: "form", form };
}

/** Names between braces, `{path:path}` without its converter. */
export function pathNames(path: string): string[] {
  return [...path.matchAll(/\{([^{}:/]+)(?::[^{}]*)?\}/g)].map((match) => match[1] ?? "");
}
