import { blankDraft, type Draft, EMPTY_BODY, type Row, row } from "./draft";

/** Options of curl that take a value and mean nothing here. */
const IGNORED_WITH_VALUE = new Set([
  "-o",
  "--output",
  "-m",
  "--max-time",
  "--connect-timeout",
  "-w",
  "--cacert",
]);

interface Parsed {
  url: string | null;
  method: string | null;
  headers: [string, string][];
  data: string[];
  form: Row[];
  user: string | null;
  get: boolean;
}

/** Reads a curl command line into a draft; `null` where it is none. The host in it does not matter. */
export function importCurl(text: string): Draft | null {
  const words = shellWords(text.trim());
  if (words[0] !== "curl") return null;
  const parsed = readOptions(words.slice(1));
  if (parsed.url === null) return null;
  const url = parseUrl(parsed.url);
  if (url === null) return null;
  return toDraft(parsed, url);
}

function readOptions(words: readonly string[]): Parsed {
  const parsed: Parsed = { url: null, method: null, headers: [], data: [], form: [], user: null, get: false };
  for (let index = 0; index < words.length; index++) {
    const word = words[index] ?? "";
    const [option, glued] = splitOption(word);
    const value = () => glued ?? words[++index] ?? "";
    if (option === null) parsed.url ??= word;
    else if (option === "-X" || option === "--request") parsed.method = value().toUpperCase();
    else if (option === "-H" || option === "--header") addHeader(parsed, value());
    else if (/^(-d|--data(-raw|-binary|-ascii)?|--json)$/.test(option)) parsed.data.push(value());
    else if (option === "--data-urlencode") parsed.data.push(encodedPair(value()));
    else if (option === "-F" || option === "--form") parsed.form.push(formRow(value()));
    else if (option === "--form-string") parsed.form.push(row(...pair(value())));
    else if (option === "-u" || option === "--user") parsed.user = value();
    else if (option === "-b" || option === "--cookie") parsed.headers.push(["Cookie", value()]);
    else if (option === "-A" || option === "--user-agent") parsed.headers.push(["User-Agent", value()]);
    else if (option === "--url") parsed.url = value();
    else if (option === "-G" || option === "--get") parsed.get = true;
    else if (option === "-I" || option === "--head") parsed.method = "HEAD";
    else if (IGNORED_WITH_VALUE.has(option)) value();
  }
  return parsed;
}

/** `-XPOST` and `--request=POST` carry their value; other words starting with `-` are options alone. */
function splitOption(word: string): [string | null, string | null] {
  if (!word.startsWith("-") || word === "-") return [null, null];
  if (word.startsWith("--")) {
    const at = word.indexOf("=");
    return at < 0 ? [word, null] : [word.slice(0, at), word.slice(at + 1)];
  }
  const short = word.slice(0, 2);
  const takesValue = /^-[XHdFubAomw]$/.test(short);
  return takesValue && word.length > 2 ? [short, word.slice(2)] : [short, null];
}

function toDraft(parsed: Parsed, url: URL): Draft {
  const draft = blankDraft();
  const sent = parsed.data.join("&");
  const method =
    parsed.method ?? (sent !== "" || parsed.form.length > 0 ? (parsed.get ? "GET" : "POST") : "GET");
  const query = [...url.searchParams, ...(parsed.get ? new URLSearchParams(sent) : [])];
  const type = parsed.headers.find(([name]) => name.toLowerCase() === "content-type")?.[1] ?? "";
  return {
    ...draft,
    method,
    path: decodePath(url.pathname),
    query: query.map(([name, value]) => row(name, value)),
    headers: parsed.headers
      .filter(([name]) => !/^(authorization|x-preview-token)$/i.test(name))
      .map(([name, value]) => row(name, value)),
    auth: authOf(parsed),
    body: parsed.get ? EMPTY_BODY : bodyOf(parsed, sent, type),
  };
}

function authOf({ headers, user }: Parsed): Draft["auth"] {
  const value = headers.find(([name]) => name.toLowerCase() === "authorization")?.[1];
  const token = /^Bearer (.+)$/i.exec(value ?? "")?.[1];
  if (token !== undefined) return { kind: "bearer", token };
  if (user === null) return { kind: "none" };
  const at = user.indexOf(":");
  return at < 0
    ? { kind: "basic", user, password: "" }
    : { kind: "basic", user: user.slice(0, at), password: user.slice(at + 1) };
}

function bodyOf({ form }: Parsed, sent: string, type: string): Draft["body"] {
  if (form.length > 0) return { ...EMPTY_BODY, mode: "multipart", form };
  if (sent === "") return EMPTY_BODY;
  try {
    return { ...EMPTY_BODY, mode: "json", text: JSON.stringify(JSON.parse(sent), null, 2) };
  } catch {
    if (type !== "" && !type.includes("urlencoded")) return { ...EMPTY_BODY, mode: "text", text: sent };
    return { ...EMPTY_BODY, mode: "form", form: [...new URLSearchParams(sent)].map(([n, v]) => row(n, v)) };
  }
}

function addHeader(parsed: Parsed, text: string): void {
  const [name, value] = pair(text, ":");
  if (name !== "") parsed.headers.push([name, value]);
}

function pair(text: string, separator = "="): [string, string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text.trim(), ""] : [text.slice(0, at).trim(), text.slice(at + 1).trim()];
}

/** `name=@path` is a file, which the page cannot read: the row waits for it. */
function formRow(text: string): Row {
  const [name, value] = pair(text);
  return value.startsWith("@")
    ? row(name, "", { type: "file", file: null, required: true })
    : row(name, value);
}

function encodedPair(text: string): string {
  const [name, value] = pair(text);
  return `${encodeURIComponent(name)}=${encodeURIComponent(value)}`;
}

function parseUrl(text: string): URL | null {
  const absolute = /^[a-z][a-z0-9+.-]*:\/\//i.test(text)
    ? text
    : text.startsWith("/")
      ? `http://x${text}`
      : `http://${text}`;
  return URL.parse?.(absolute) ?? safeUrl(absolute);
}

function safeUrl(text: string): URL | null {
  try {
    return new URL(text);
  } catch {
    return null;
  }
}

/** Braces come back from their escapes, so that `/users/{id}` is a path with a value to fill in. */
function decodePath(path: string): string {
  return path.replaceAll("%7B", "{").replaceAll("%7D", "}");
}

/** Splits as a POSIX shell would: quotes, `$'…'`, backslashes and continued lines. */
export function shellWords(text: string): string[] {
  const pattern =
    /\$'((?:[^'\\]|\\[\s\S])*)'|'([^']*)'|"((?:[^"\\]|\\[\s\S])*)"|\\\r?\n|\\([\s\S])|(\s+)|([^\s'"\\$]+|\$)/g;
  const words: string[] = [];
  let word: string | null = null;
  for (const [whole, ansi, single, double, escaped, space, bare] of text.matchAll(pattern)) {
    if (space !== undefined || /^\\\r?\n$/.test(whole)) {
      if (word !== null) words.push(word);
      word = null;
      continue;
    }
    const piece = ansi !== undefined ? unescapeAnsi(ansi) : (single ?? double?.replace(/\\(["\\$`])/g, "$1"));
    word = (word ?? "") + (piece ?? escaped ?? bare ?? "");
  }
  if (word !== null) words.push(word);
  return words;
}

function unescapeAnsi(text: string): string {
  const named: Record<string, string> = { n: "\n", t: "\t", r: "\r" };
  return text.replace(/\\(u[0-9a-fA-F]{4}|[\s\S])/g, (_, code: string) =>
    code.length > 1 ? String.fromCharCode(Number.parseInt(code.slice(1), 16)) : (named[code] ?? code),
  );
}
