import type { Endpoint, KeptBody, KeptExchange, ProxyRequest, ProxyResponse } from "../../api/types";
import { blankDraft, type Draft, EMPTY_BODY, pathNames, row } from "./draft";
import type { Exchange } from "./useSend";

/** Headers that whoever sends a request adds by itself. */
const ADDED =
  /^(host|connection|content-length|expect|accept(-.*)?|user-agent|referer|origin|cookie|dnt|priority|pragma|cache-control|upgrade-insecure-requests|sec-.*|x-request-id|x-preview-token|x-forwarded-.*)$/i;

/** A request of the history as a draft, to be changed and sent; what is secret is not in it. */
export function draftOf(kept: KeptExchange): Draft {
  const url = new URL(kept.path, "http://preview");
  const type = firstOf(kept.requestHeaders, "content-type");
  const body = bodyOf(kept.requestBody, type);
  const told = body.mode === "json" || body.mode === "form";
  const headers = kept.requestHeaders.filter(
    ([name]) =>
      !ADDED.test(name) && !kept.redacted.includes(name) && !(told && name.toLowerCase() === "content-type"),
  );
  return {
    ...blankDraft(),
    method: kept.method,
    path: kept.path.split("?", 1)[0] ?? "/",
    query: [...url.searchParams].map(([name, value]) => row(name, value)),
    headers: headers.map(([name, value]) => row(name, value)),
    body,
  };
}

function bodyOf(body: KeptBody | null | undefined, type: string): Draft["body"] {
  if (!body?.data) return EMPTY_BODY;
  if (body.encoding === "base64") {
    const file = { name: "body", type, base64: body.data, size: Math.floor(body.data.length * 0.75) };
    return { ...EMPTY_BODY, mode: "file", file };
  }
  if (type.includes("urlencoded")) {
    const form = [...new URLSearchParams(body.data)].map(([name, value]) => row(name, value));
    return { ...EMPTY_BODY, mode: "form", form };
  }
  const parsed = /[/+]json\b/.test(type) ? parsedJson(body.data) : undefined;
  if (parsed === undefined) return { ...EMPTY_BODY, mode: "text", text: body.data };
  return { ...EMPTY_BODY, mode: "json", text: JSON.stringify(parsed, null, 2) };
}

/** What it was answered, as far as that is kept. */
export function exchangeOf(kept: KeptExchange): Exchange {
  const request: ProxyRequest = { method: kept.method, path: kept.path };
  if (kept.statusCode === null) {
    const message = "This request had no answer.";
    return { state: "failed", request, error: new Error(message), message };
  }
  const body = kept.responseBody;
  const type = firstOf(kept.responseHeaders, "content-type");
  const parsed = body?.encoding === "text" && /[/+]json\b/.test(type) ? parsedJson(body.data) : undefined;
  const response: ProxyResponse = {
    statusCode: kept.statusCode,
    data: parsed ?? body?.data ?? "",
    dataEncoding: parsed === undefined ? (body?.encoding ?? "text") : "json",
    headers: headersOf(kept.responseHeaders),
    durationMs: kept.durationMs,
    requestId: kept.requestId,
    timing: { connectMs: 0, firstByteMs: kept.durationMs, totalMs: kept.durationMs },
    truncated: false,
  };
  const at = Date.parse(kept.timestamp);
  return { state: "answered", request, response, at, kept: body?.truncated ? "beginning" : "whole" };
}

function headersOf(pairs: readonly [string, string][]): ProxyResponse["headers"] {
  const values = new Map<string, string[]>();
  for (const [name, value] of pairs) values.set(name, [...(values.get(name) ?? []), value]);
  return Object.fromEntries(
    [...values].map(([name, all]) => [name, all.length === 1 ? (all[0] ?? "") : all]),
  );
}

const firstOf = (pairs: readonly [string, string][], name: string): string =>
  pairs.find(([one]) => one.toLowerCase() === name)?.[1] ?? "";

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The draft as one of these endpoints, with parts of its path as values; as it is where it fits none. */
export function asEndpoint(draft: Draft, endpoints: readonly Endpoint[]): Draft {
  const same = endpoints.filter(({ method }) => method === draft.method);
  if (same.some(({ path }) => path === draft.path)) return draft;
  for (const { path } of same) {
    const pathValues = valuesIn(path, draft.path);
    if (pathValues !== null) return { ...draft, path, pathValues };
  }
  return draft;
}

function valuesIn(template: string, path: string): Record<string, string> | null {
  const pattern = template.split(/(\{[^{}]+\})/).map((piece) => {
    if (piece.startsWith("{")) return piece.endsWith(":path}") ? "(.+)" : "([^/]+)";
    return piece.replace(/[.*+?^$()|[\]\\]/g, "\\$&");
  });
  const found = new RegExp(`^${pattern.join("")}$`).exec(path);
  if (found === null) return null;
  return Object.fromEntries(
    pathNames(template).map((name, index) => [name, decoded(found[index + 1] ?? "")]),
  );
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
