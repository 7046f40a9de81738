import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { importCurl, shellWords } from "./importCurl";
import { shell, snippet } from "./snippets";

const HOSTILE = [
  "it's",
  "'; touch /tmp/owned; '",
  '$(id) `id` $HOME \\ " !',
  "two\nlines\ttab",
  "</script><script>alert(1)</script>",
  "\u2028\u202eabc",
  "",
  "-rf",
];

const request = (value: string) => ({
  method: "POST",
  path: "/api/books",
  query: { q: value },
  headers: { "X-Note": value, Authorization: "Bearer very-secret" },
  body: { title: value },
  bodyEncoding: "json" as const,
});
const base = "http://localhost:3001";

test.each(HOSTILE)("a shell reads %j back as it was", (value) => {
  const printed = execFileSync("sh", ["-c", `printf %s ${shell(value)}`]).toString();
  expect(printed).toBe(value);
});

test.each(HOSTILE)("a shell passes the curl line on unchanged: %j", (value) => {
  const line = snippet("curl", base, request(value));
  const show = `curl() { printf '%s\\0' "$@"; }; ${line}`;
  const words = execFileSync("sh", ["-c", show], { env: { PREVIEW_TOKEN: "pt" } })
    .toString()
    .split("\0");
  expect(words).toContain(`X-Note: ${value}`);
  expect(words).toContain(JSON.stringify({ title: value }));
  expect(words).toContain("X-Preview-Token: pt");
});

test.each(HOSTILE)("Python and JavaScript read their strings back: %j", (value) => {
  const fetchLine = snippet("fetch", base, request(value));
  const body = /^ {2}body: (".*"),$/m.exec(fetchLine)?.[1] ?? "";
  expect(JSON.parse(JSON.parse(body))).toEqual({ title: value });
  const httpx = snippet("httpx", base, request(value));
  const content = /^ {4}content=(".*"),$/m.exec(httpx)?.[1] ?? "";
  const printed = execFileSync("python3", [
    "-c",
    `import json,sys; sys.stdout.write(json.loads(${content})["title"])`,
  ]);
  expect(printed.toString()).toBe(value);
});

const upload = (value: string) => {
  const file = { name: value || "x", type: "image/png", base64: "AA==", size: 1 };
  const parts = [
    { name: "title", value },
    { name: "cover", file },
  ];
  return {
    method: "POST",
    path: "/covers",
    body: "AA==",
    bodyEncoding: "base64" as const,
    madeOf: { parts },
  };
};

test.each(HOSTILE)("an upload is copied part by part, and says only what was sent: %j", (value) => {
  const { madeOf, ...sent } = upload(value);
  const line = snippet("curl", base, sent, madeOf);
  const words = execFileSync("sh", ["-c", `curl() { printf '%s\\0' "$@"; }; ${line}`], {
    env: { PREVIEW_TOKEN: "pt" },
  })
    .toString()
    .split("\0");
  expect(words).toContain(`title=${value}`);
  const path = `./${(value || "x").split("/").pop()}`.replace(/["\\]/g, "\\$&");
  expect(words).toContain(`cover=@"${path}"`);
  const script = snippet("httpx", base, sent, madeOf);
  const checked = execFileSync(
    "python3",
    ["-c", "import ast,sys; ast.parse(sys.stdin.read()); print('ok')"],
    {
      input: script,
    },
  );
  expect(checked.toString()).toBe("ok\n");
  const appended =
    /^body\.append\("title", (".*")\);$/m.exec(snippet("fetch", base, sent, madeOf))?.[1] ?? "";
  expect(JSON.parse(appended)).toBe(value);
});

test("no snippet gives a secret away", () => {
  for (const language of ["curl", "httpx", "fetch"] as const) {
    const text = snippet(language, base, request("x"));
    expect(text).not.toContain("very-secret");
    expect(text).toContain("<redacted>".replace("<", language === "curl" ? "<" : "\\u003c"));
  }
});

test("a curl line is read into a draft", () => {
  const draft = importCurl(
    `curl -X PUT 'https://api.example.com/books/7?tag=a&tag=b' \\\n -H 'Accept: text/plain' ` +
      `-H "Authorization: Bearer abc" --data-raw '{"title":"It'\\''s"}'`,
  );
  expect(draft).toMatchObject({
    method: "PUT",
    path: "/books/7",
    auth: { kind: "bearer", token: "abc" },
    body: { mode: "json" },
  });
  expect(draft?.query.map(({ name, value }) => [name, value])).toEqual([
    ["tag", "a"],
    ["tag", "b"],
  ]);
  expect(JSON.parse(draft?.body.text ?? "")).toEqual({ title: "It's" });
  expect(draft?.headers.map(({ name }) => name)).toEqual(["Accept"]);
});

test("what we copy as curl can be imported again", () => {
  const draft = importCurl(snippet("curl", base, request('it\'s "quoted"')));
  expect(draft).toMatchObject({ method: "POST", path: "/api/books" });
  expect(JSON.parse(draft?.body.text ?? "")).toEqual({ title: 'it\'s "quoted"' });
});

test("forms, users and bare URLs are understood", () => {
  expect(importCurl("curl localhost:3000/health")).toMatchObject({ method: "GET", path: "/health" });
  expect(importCurl("curl -u ada:se:cret -d a=1 -d b=2 /login")).toMatchObject({
    method: "POST",
    auth: { kind: "basic", user: "ada", password: "se:cret" },
    body: { mode: "form", form: [{ name: "a" }, { name: "b" }] },
  });
  expect(importCurl("curl -F title=x -F 'cover=@a.png' /covers")).toMatchObject({
    method: "POST",
    body: {
      mode: "multipart",
      form: [
        { name: "title", value: "x" },
        { name: "cover", file: null },
      ],
    },
  });
  expect(importCurl("wget http://x")).toBeNull();
  expect(importCurl("curl")).toBeNull();
});

test("words are split as a shell does", () => {
  expect(shellWords(`a 'b c' "d \\" e" f\\ g $'h\\ni' ''`)).toEqual(["a", "b c", 'd " e', "f g", "h\ni", ""]);
});
