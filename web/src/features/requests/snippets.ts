import type { ProxyRequest } from "../../api/types";
import type { MadeOf, Part } from "./build";

type Language = "curl" | "httpx" | "fetch";
export const LANGUAGES: readonly Language[] = ["curl", "httpx", "fetch"];

/** Stands for the preview's token and for secrets of the request: a snippet is made to be passed on. */
const PREVIEW_TOKEN = "$PREVIEW_TOKEN";
const SECRET_HEADERS = /^(authorization|cookie|x-api-key|x-auth-token)$/i;

interface Plain {
  method: string;
  url: string;
  headers: [string, string][];
  /** The body as text; files are named, for the reader to put beside the snippet. */
  body: string | null;
  madeOf: MadeOf | null;
}

/** The request as a line to run elsewhere, against the preview's own address. Tokens are replaced. */
export function snippet(language: Language, baseUrl: string, request: ProxyRequest, madeOf?: MadeOf): string {
  const plain = flatten(baseUrl, request, madeOf ?? null);
  switch (language) {
    case "curl":
      return curl(plain);
    case "httpx":
      return httpx(plain);
    case "fetch":
      return fetchCall(plain);
  }
}

function flatten(baseUrl: string, request: ProxyRequest, madeOf: MadeOf | null): Plain {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(request.query ?? {})) {
    for (const one of [value].flat()) query.append(name, one);
  }
  const text = query.toString();
  const headers: [string, string][] = [["X-Preview-Token", PREVIEW_TOKEN]];
  for (const [name, value] of Object.entries(request.headers ?? {})) {
    headers.push([name, SECRET_HEADERS.test(name) ? redacted(value) : value]);
  }
  const [body, type] = madeOf === null ? bodyOf(request) : [null, null];
  if (type !== null && !headers.some(([name]) => name.toLowerCase() === "content-type")) {
    headers.push(["Content-Type", type]);
  }
  const url = `${baseUrl}${request.path}${text && `?${text}`}`;
  return { method: request.method, url, headers, body, madeOf };
}

function redacted(value: string): string {
  const scheme = /^(Bearer|Basic) /i.exec(value)?.[1];
  return scheme ? `${scheme} <redacted>` : "<redacted>";
}

function bodyOf({ body, bodyEncoding }: ProxyRequest): [string | null, string | null] {
  if (body === undefined) return [null, null];
  switch (bodyEncoding) {
    case "form": {
      const form = new URLSearchParams();
      for (const [name, value] of Object.entries(body as Record<string, string | string[]>)) {
        for (const one of [value].flat()) form.append(name, one);
      }
      return [form.toString(), "application/x-www-form-urlencoded"];
    }
    case "text":
      return [String(body), null];
    default:
      return [JSON.stringify(body), "application/json"];
  }
}

function curl({ method, url, headers, body, madeOf }: Plain): string {
  const parts = [`curl -X ${shell(method)} ${shell(url)}`];
  for (const [name, value] of headers) {
    // The one variable that the shell is to fill in; everything else is quoted whole.
    const quoted = value === PREVIEW_TOKEN ? `"${name}: ${PREVIEW_TOKEN}"` : shell(`${name}: ${value}`);
    parts.push(`-H ${quoted}`);
  }
  if (body !== null) parts.push(`--data-raw ${shell(body)}`);
  if (madeOf !== null && "file" in madeOf)
    parts.push(`--data-binary ${shell(`@${fileName(madeOf.file.name)}`)}`);
  if (madeOf !== null && "parts" in madeOf) parts.push(...madeOf.parts.map(curlPart));
  return parts.join(" \\\n  ");
}

/** `--form-string` reads nothing into its value; a file's name is quoted for curl, then for the shell. */
function curlPart(part: Part): string {
  if (!("file" in part)) return `--form-string ${shell(`${part.name}=${part.value}`)}`;
  const path = fileName(part.file.name).replace(/["\\]/g, "\\$&");
  return `-F ${shell(`${part.name}=@"${path}"`)}`;
}

/** Never an option and never a place elsewhere: the last part of the name, in this directory. */
const fileName = (name: string): string => `./${name.slice(name.lastIndexOf("/") + 1)}`;

/** One word for a POSIX shell, whatever is in it. */
export function shell(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

function httpx({ method, url, headers, body, madeOf }: Plain): string {
  const pairs = headers.map(([name, value]) =>
    value === PREVIEW_TOKEN
      ? `        ${python(name)}: os.environ["PREVIEW_TOKEN"],`
      : `        ${python(name)}: ${python(value)},`,
  );
  const lines = [
    "import os",
    "",
    "import httpx",
    "",
    "response = httpx.request(",
    `    ${python(method)},`,
    `    ${python(url)},`,
    "    headers={",
    ...pairs,
    "    },",
    ...(body === null ? [] : [`    content=${python(body)},`]),
    ...(madeOf === null ? [] : httpxBody(madeOf)),
    ")",
    "print(response.status_code, response.text)",
  ];
  return lines.join("\n");
}

function httpxBody(madeOf: MadeOf): string[] {
  const open = (name: string) => `open(${python(fileName(name))}, "rb")`;
  if ("file" in madeOf) return [`    content=${open(madeOf.file.name)}.read(),`];
  const parts = madeOf.parts.map((part) => {
    const value =
      "file" in part ? `${python(part.file.name)}, ${open(part.file.name)}` : `None, ${python(part.value)}`;
    return `        (${python(part.name)}, (${value})),`;
  });
  return ["    files=[", ...parts, "    ],"];
}

/** A Python string literal. JSON's escapes are all Python's too, but for lone surrogates, which are escaped. */
export function python(text: string): string {
  return literal(text);
}

function fetchCall({ method, url, headers, body, madeOf }: Plain): string {
  const pairs = headers.map(([name, value]) => {
    const shown = value === PREVIEW_TOKEN ? "process.env.PREVIEW_TOKEN" : literal(value);
    return `    ${literal(name)}: ${shown},`;
  });
  const lines = [
    ...(madeOf === null ? [] : fetchBody(madeOf)),
    `const response = await fetch(${literal(url)}, {`,
    `  method: ${literal(method)},`,
    "  headers: {",
    ...pairs,
    "  },",
    ...(body === null ? [] : [`  body: ${literal(body)},`]),
    ...(madeOf === null ? [] : ["  body,"]),
    "});",
    "console.log(response.status, await response.text());",
  ];
  return lines.join("\n");
}

function fetchBody(madeOf: MadeOf): string[] {
  const read = 'import { readFile } from "node:fs/promises";\n';
  const bytes = (name: string) => `await readFile(${literal(fileName(name))})`;
  if ("file" in madeOf) return [read, `const body = ${bytes(madeOf.file.name)};`];
  const parts = madeOf.parts.map((part) =>
    "file" in part
      ? `body.append(${literal(part.name)}, new Blob([${bytes(part.file.name)}]), ${literal(part.file.name)});`
      : `body.append(${literal(part.name)}, ${literal(part.value)});`,
  );
  return [read, "const body = new FormData();", ...parts];
}

/** A string literal that reads the same in JavaScript and Python, safe inside an HTML script as well. */
function literal(text: string): string {
  return JSON.stringify(text).replace(
    /[\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069<]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
