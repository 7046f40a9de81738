import type { ProxyRequest } from "../../api/types";
import { type Draft, pathNames, type Row } from "./draft";

/** Where in the form something is wrong. */
export interface DraftProblem {
  tab: "params" | "headers" | "body";
  /** Name of the field. */
  field: string;
  message: string;
}

export type Built = { request: ProxyRequest } | { problem: DraftProblem };

/** The request that a draft means, or what is still missing from it. */
export function build(draft: Draft): Built {
  const missing = pathNames(draft.path).find((name) => (draft.pathValues[name] ?? "") === "");
  if (missing !== undefined) {
    return { problem: { tab: "params", field: missing, message: `Give a value for "${missing}".` } };
  }
  const body = bodyOf(draft);
  if ("problem" in body) return body;
  const headers = headersOf(draft);
  return {
    request: {
      method: draft.method,
      path: fillPath(draft),
      ...(hasAny(draft.query) ? { query: collect(draft.query) } : {}),
      ...(Object.keys(headers).length > 0 ? { headers } : {}),
      ...body.fields,
    },
  };
}

/** The path with its values in place, each encoded so that it stays one segment (`{x:path}` keeps its slashes). */
export function fillPath(draft: Draft): string {
  return draft.path.replace(/\{([^{}:/]+)(:path)?(?::[^{}]*)?\}/g, (_, name: string, whole?: string) => {
    const value = draft.pathValues[name] ?? "";
    return whole ? value.split("/").map(encodeURIComponent).join("/") : encodeURIComponent(value);
  });
}

function headersOf(draft: Draft): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const row of draft.headers) if (row.enabled && row.name !== "") headers[row.name] = row.value;
  const authorization = authorizationOf(draft);
  if (authorization !== null) headers.Authorization = authorization;
  const type = contentType(draft);
  if (type !== null && !has(headers, "content-type")) headers["Content-Type"] = type;
  return headers;
}

function authorizationOf({ auth }: Draft): string | null {
  if (auth.kind === "bearer" && auth.token !== "") return `Bearer ${auth.token}`;
  if (auth.kind === "basic") return `Basic ${btoa(unescape8(`${auth.user}:${auth.password}`))}`;
  return null;
}

/** `btoa` takes bytes only: the text's UTF-8, one character a byte. */
function unescape8(text: string): string {
  return String.fromCharCode(...new TextEncoder().encode(text));
}

/** What the body's kind says of itself where the person names no type. JSON and forms are told by the encoding. */
function contentType({ body }: Draft): string | null {
  if (body.mode === "text") return "text/plain; charset=utf-8";
  if (body.mode === "file" && body.file) return body.file.type || "application/octet-stream";
  return null;
}

type BodyFields = { fields: Pick<ProxyRequest, "body" | "bodyEncoding"> } | { problem: DraftProblem };

function bodyOf({ body }: Draft): BodyFields {
  switch (body.mode) {
    case "none":
      return { fields: {} };
    case "text":
      return { fields: { body: body.text, bodyEncoding: "text" } };
    case "form":
      return { fields: { body: collect(body.form), bodyEncoding: "form" } };
    case "file":
      if (!body.file) return { problem: { tab: "body", field: "file", message: "Choose a file to send." } };
      return { fields: { body: body.file.base64, bodyEncoding: "base64" } };
    case "json":
      return jsonBody(body.text);
  }
}

function jsonBody(text: string): BodyFields {
  try {
    return { fields: { body: JSON.parse(text), bodyEncoding: "json" } };
  } catch (error) {
    const why = error instanceof Error ? error.message : "";
    return { problem: { tab: "body", field: "body", message: `The body is not valid JSON. ${why}` } };
  }
}

/** Enabled rows by name; a name that occurs more than once has a list. */
function collect(rows: readonly Row[]): Record<string, string | string[]> {
  const values: Record<string, string | string[]> = {};
  for (const { enabled, name, value } of rows) {
    if (!enabled || name === "") continue;
    const before = Object.hasOwn(values, name) ? values[name] : undefined;
    values[name] = before === undefined ? value : [before, value].flat();
  }
  return values;
}

const hasAny = (rows: readonly Row[]) => rows.some((row) => row.enabled && row.name !== "");
const has = (headers: Record<string, string>, name: string) =>
  Object.keys(headers).some((key) => key.toLowerCase() === name);
