import type { ProxyResponse } from "../../api/types";
import { fromBase64 } from "../../shared/lib/bytes";

type ResponseView = "json" | "text" | "image" | "binary" | "empty";

/** First value of a header, whatever its case. */
export function header(response: ProxyResponse, name: string): string {
  const key = Object.keys(response.headers).find((candidate) => candidate.toLowerCase() === name);
  const value = key === undefined ? "" : response.headers[key];
  return (Array.isArray(value) ? value[0] : value) ?? "";
}

const IMAGES = /^image\/(png|jpeg|gif|webp|avif|bmp|x-icon|vnd\.microsoft\.icon)/;

/** How to show a response. SVG counts as text: it is a document that could hold a script. */
export function viewOf(response: ProxyResponse): ResponseView {
  if (response.statusCode === 204 || response.statusCode === 304) return "empty";
  if (response.dataEncoding === "json") return "json";
  if (response.data === "" || response.data === null || response.data === undefined) return "empty";
  if (response.dataEncoding === "text") return "text";
  return IMAGES.test(header(response, "content-type")) ? "image" : "binary";
}

/** JSON by its own account, which is not. */
export function claimsJson(response: ProxyResponse): boolean {
  return /[/+]json\b/.test(header(response, "content-type")) && response.dataEncoding !== "json";
}

const ENDINGS: Record<string, string> = {
  "application/json": "json",
  "application/pdf": "pdf",
  "application/zip": "zip",
  "image/jpeg": "jpg",
  "image/svg+xml": "svg",
  "text/plain": "txt",
};

/** What a saved answer is called: by its type alone, since the application's own name for it is not trusted. */
export function fileNameOf(response: ProxyResponse): string {
  const type = header(response, "content-type").split(";", 1)[0]?.trim().toLowerCase() ?? "";
  const ending = ENDINGS[type] ?? /^(?:image|text)\/([a-z0-9]{2,5})$/.exec(type)?.[1] ?? "bin";
  return `response.${response.dataEncoding === "json" ? "json" : ending}`;
}

/** The body as text: indented for JSON, as it came for text, base64 for the rest. */
export function bodyText(response: ProxyResponse): string {
  if (response.dataEncoding === "json") return JSON.stringify(response.data, null, 2);
  return typeof response.data === "string" ? response.data : "";
}

export function bodyBytes(response: ProxyResponse): Uint8Array<ArrayBuffer> {
  if (response.dataEncoding === "base64" && typeof response.data === "string")
    return fromBase64(response.data);
  return new TextEncoder().encode(
    response.dataEncoding === "json" ? JSON.stringify(response.data) : bodyText(response),
  );
}

/** Size in bytes: what the server says it sent, else what arrived. */
export function sizeOf(response: ProxyResponse): number {
  const told = Number(header(response, "content-length"));
  return Number.isFinite(told) && told > 0 ? told : bodyBytes(response).length;
}

/** A token that a login answered with, under the names that OAuth and most others use. */
export function tokenIn(response: ProxyResponse): string | null {
  if (response.statusCode >= 300 || typeof response.data !== "object" || response.data === null) return null;
  const data = response.data as Record<string, unknown>;
  const token = data.access_token ?? data.accessToken ?? data.token;
  return typeof token === "string" && token.length >= 8 ? token : null;
}

const REASONS: Record<number, string> = {
  200: "OK",
  201: "Created",
  202: "Accepted",
  204: "No Content",
  301: "Moved Permanently",
  302: "Found",
  303: "See Other",
  304: "Not Modified",
  307: "Temporary Redirect",
  308: "Permanent Redirect",
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  409: "Conflict",
  413: "Content Too Large",
  415: "Unsupported Media Type",
  422: "Unprocessable Content",
  429: "Too Many Requests",
  500: "Internal Server Error",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout",
};

/** What a status means, for its colour. */
export const toneOf = (status: number): string =>
  ["", "info", "ok", "info", "warn", "error"][Math.floor(status / 100)] ?? "info";

export const reasonOf = (status: number): string => REASONS[status] ?? "";
