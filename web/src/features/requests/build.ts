import type { ProxyRequest } from "../../api/types";
import { type Draft, type PickedFile, pathNames, type Row } from "./draft";

/** Where in the form something is wrong. */
export interface DraftProblem {
  tab: "params" | "headers" | "body";
  /** Name of the field. */
  field: string;
  message: string;
}

/** A part of a `multipart/form-data` body. */
export type Part = { name: string; value: string } | { name: string; file: PickedFile };

/** What was put together into a body of bytes, for those who are to do it again elsewhere. */
export type MadeOf = { parts: Part[] } | { file: PickedFile };

type Built = { request: ProxyRequest; madeOf?: MadeOf } | { problem: DraftProblem };

/** The request that a draft means, or what is still missing from it. */
export function build(draft: Draft): Built {
  const missing = pathNames(draft.path).find((name) => (draft.pathValues[name] ?? "") === "");
  if (missing !== undefined) {
    return { problem: { tab: "params", field: missing, message: `Give a value for "${missing}".` } };
  }
  const body = bodyOf(draft);
  if ("problem" in body) return body;
  const headers = headersOf(draft, body.contentType ?? null);
  return {
    request: {
      method: draft.method,
      path: fillPath(draft),
      ...(hasAny(draft.query) ? { query: collect(draft.query) } : {}),
      ...(Object.keys(headers).length > 0 ? { headers } : {}),
      ...body.fields,
    },
    ...(body.madeOf ? { madeOf: body.madeOf } : {}),
  };
}

/** The path with its values in place, each encoded so that it stays one segment (`{x:path}` keeps its slashes). */
export function fillPath(draft: Draft): string {
  return draft.path.replace(/\{([^{}:/]+)(:path)?(?::[^{}]*)?\}/g, (_, name: string, whole?: string) => {
    const value = draft.pathValues[name] ?? "";
    return whole ? value.split("/").map(encodeURIComponent).join("/") : encodeURIComponent(value);
  });
}

/** `contentType` is what the body says of itself; that of a multipart body has a boundary, which the server chooses. */
function headersOf(draft: Draft, contentType: string | null): Record<string, string> {
  const ours = draft.body.mode === "multipart";
  const rows = draft.headers.filter(({ enabled, name }) => enabled && name !== "");
  const headers: Record<string, string> = {};
  for (const { name, value } of rows)
    if (!ours || name.toLowerCase() !== "content-type") headers[name] = value;
  const authorization = authorizationOf(draft);
  if (authorization !== null) headers.Authorization = authorization;
  if (contentType !== null && !has(headers, "content-type")) headers["Content-Type"] = contentType;
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

type BodyFields =
  | { fields: Pick<ProxyRequest, "body" | "bodyEncoding">; contentType?: string; madeOf?: MadeOf }
  | { problem: DraftProblem };

/** JSON and forms are told by the encoding; text and files say what they are in `contentType`. */
function bodyOf({ body }: Draft): BodyFields {
  switch (body.mode) {
    case "none":
      return { fields: {} };
    case "text":
      return { fields: { body: body.text, bodyEncoding: "text" }, contentType: "text/plain; charset=utf-8" };
    case "form":
      return { fields: { body: collect(body.form), bodyEncoding: "form" } };
    case "multipart":
      return multipartBody(body.form);
    case "file":
      return fileBody(body.file);
    case "json":
      return jsonBody(body.text);
  }
}

function fileBody(file: PickedFile | null): BodyFields {
  if (file === null) return bodyProblem("file", "Choose a file to send.");
  const contentType = file.type || "application/octet-stream";
  return { fields: { body: file.base64, bodyEncoding: "base64" }, contentType, madeOf: { file } };
}

function multipartBody(rows: readonly Row[]): BodyFields {
  const sent = rows.filter(({ enabled, name }) => enabled && name !== "");
  const empty = sent.find(({ file, required }) => file === null && required);
  if (empty) return bodyProblem(empty.name, `Choose a file for "${empty.name}".`);
  const parts = sent.flatMap((row): Part[] => {
    if (row.file === undefined) return [{ name: row.name, value: row.value }];
    return row.file ? [{ name: row.name, file: row.file }] : [];
  });
  const body = byName(parts.map((part) => [part.name, "file" in part ? fileMember(part.file) : part.value]));
  return { fields: { body, bodyEncoding: "multipart" }, madeOf: { parts } };
}

/** A file's type is what its own system says: not always a type. */
function fileMember({ name, type, base64 }: PickedFile) {
  const contentType = /^[\w.+-]+\/[\w.+-]+$/.test(type) ? type : "application/octet-stream";
  return { filename: name, contentType, base64 };
}

const bodyProblem = (field: string, message: string): BodyFields => ({
  problem: { tab: "body", field, message },
});

function jsonBody(text: string): BodyFields {
  try {
    return { fields: { body: JSON.parse(text), bodyEncoding: "json" } };
  } catch (error) {
    const why = error instanceof Error ? error.message : "";
    return bodyProblem("body", `The body is not valid JSON. ${why}`);
  }
}

const collect = (rows: readonly Row[]): Record<string, string | string[]> =>
  byName(rows.filter(({ enabled, name }) => enabled && name !== "").map(({ name, value }) => [name, value]));

/** A name that occurs more than once has a list. */
function byName<T>(pairs: readonly (readonly [string, T])[]): Record<string, T | T[]> {
  const values = new Map<string, T[]>();
  for (const [name, value] of pairs) values.set(name, [...(values.get(name) ?? []), value]);
  return Object.fromEntries([...values].map(([name, all]) => [name, all.length === 1 ? (all[0] as T) : all]));
}

const hasAny = (rows: readonly Row[]) => rows.some((row) => row.enabled && row.name !== "");
const has = (headers: Record<string, string>, name: string) =>
  Object.keys(headers).some((key) => key.toLowerCase() === name);
