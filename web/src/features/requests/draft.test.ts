import { expect, test } from "vitest";
import type { Endpoint, Parameter, RequestBody, ValueSchema } from "../../api/types";
import { build, fillPath } from "./build";
import { type BodyDraft, blankDraft, type Draft, draftFor, EMPTY_BODY, row } from "./draft";
import { fieldErrors } from "./validation";

const parameter = (place: string, name: string, schema: ValueSchema, required = false): Parameter => ({
  in: place,
  name,
  required,
  schema,
});

const json = (schema: ValueSchema): RequestBody => ({
  contentType: "application/json",
  required: true,
  schema,
});

const endpoint: Endpoint = {
  method: "POST",
  path: "/api/books/{book_id}/notes/{slug}",
  description: "",
  operationId: "add_note",
  parameters: [
    parameter("path", "book_id", { type: "integer" }, true),
    parameter("path", "slug", { type: "string" }, true),
    parameter("query", "page", { type: "integer", default: 1, description: "From 1" }),
    parameter("query", "order", { type: "string", enum: ["up", "down"] }, true),
    parameter("header", "authorization", { type: "string" }),
  ],
  body: json({
    type: "object",
    properties: {
      title: { type: "string" },
      price: { type: "number" },
      tags: { type: "array", items: { type: "string", enum: ["new", "used"] } },
      email: { type: "string" },
      due: { type: "string", format: "date" },
      author: { type: "object", properties: { name: { type: "string", examples: ["Jane"] } } },
    },
  }),
  tags: [],
  deprecated: false,
  secured: false,
};

test("an endpoint's schema becomes a form with a body that can be sent", () => {
  const draft = draftFor(endpoint);
  const rows = draft.query.map(({ name, type, enabled, value, usual }) => [
    name,
    type,
    enabled,
    value,
    usual,
  ]);
  expect(rows).toEqual([
    ["page", "integer", false, "", "1"],
    ["order", "string", true, "up", undefined],
  ]);
  expect(draft.query[0]?.description).toBe("From 1");
  expect(draft.query[1]?.choices).toEqual(["up", "down"]);
  expect(draft.pathValues).toEqual({ book_id: "1", slug: "" });
  expect(draft.headers).toEqual([]);
  expect(JSON.parse(draft.body.text)).toEqual({
    title: "A first title",
    price: 9.99,
    tags: ["new"],
    email: "ada@example.com",
    due: "2026-01-31",
    author: { name: "Jane" },
  });
});

test("a body that is no object has a sample too", () => {
  expect(draftFor({ ...endpoint, body: json({ type: "array" }) }).body.text).toBe("[]");
});

test("forms are filled in as far as that helps; a login is not", () => {
  const form = (schema: ValueSchema, contentType = "application/x-www-form-urlencoded") =>
    draftFor({ ...endpoint, body: { contentType, required: true, schema } }).body;
  const text = { type: "string" };
  const login = form({
    properties: { grant_type: text, username: text, password: text, scope: { ...text, default: "" } },
    required: ["username", "password"],
  });
  expect(login.mode).toBe("form");
  expect(login.form.map(({ name, value, enabled }) => [name, value, enabled])).toEqual([
    ["grant_type", "password", true],
    ["username", "", true],
    ["password", "", true],
    ["scope", "", false],
  ]);
  const upload = form(
    {
      properties: { title: text, cover: { type: "string", format: "binary" } },
      required: ["title", "cover"],
    },
    "multipart/form-data",
  );
  expect(upload.mode).toBe("multipart");
  expect(upload.form).toMatchObject([
    { name: "title", value: "A first title", enabled: true },
    { name: "cover", type: "file", file: null, enabled: true },
  ]);
});

test("a missing path value and a broken body are told at their place", () => {
  const draft = draftFor(endpoint);
  expect(build(draft)).toMatchObject({ problem: { tab: "params", field: "slug" } });
  const broken = { ...draft, pathValues: { book_id: "1", slug: "a" }, body: { ...draft.body, text: "{" } };
  expect(build(broken)).toMatchObject({ problem: { tab: "body" } });
});

test("a path value stays in its segment", () => {
  const at = (value: string, path = "/files/{name}"): string =>
    fillPath({ ...blankDraft(), path, pathValues: { name: value } });
  expect(at("../secret?x#y")).toBe("/files/..%2Fsecret%3Fx%23y");
  expect(at("a b/c", "/files/{name:path}")).toBe("/files/a%20b/c");
});

test("only what is switched on is sent; a repeated name is a list", () => {
  const draft: Draft = {
    ...blankDraft(),
    path: "/search",
    query: [row("tag", "a"), row("tag", "b"), row("off", "x", { enabled: false }), row("", "nameless")],
    headers: [row("X-One", "1")],
    auth: { kind: "bearer", token: "t0ken" },
  };
  expect(build(draft)).toEqual({
    request: {
      method: "GET",
      path: "/search",
      query: { tag: ["a", "b"] },
      headers: { "X-One": "1", Authorization: "Bearer t0ken" },
    },
  });
});

test("a name that is special to objects is an ordinary name", () => {
  const draft = { ...blankDraft(), query: [row("constructor", "x")] };
  expect(build(draft)).toMatchObject({ request: { query: { constructor: "x" } } });
});

test("passwords beyond ASCII are sent as UTF-8", () => {
  const draft: Draft = { ...blankDraft(), auth: { kind: "basic", user: "ada", password: "pässwörd€" } };
  const built = build(draft);
  const header = "request" in built ? built.request.headers?.Authorization : undefined;
  const bytes = Uint8Array.from(atob(header?.slice(6) ?? ""), (char) => char.charCodeAt(0));
  expect(new TextDecoder().decode(bytes)).toBe("ada:pässwörd€");
});

test("forms and files say how they are encoded", () => {
  const form: Draft = {
    ...blankDraft(),
    method: "POST",
    body: { ...EMPTY_BODY, mode: "form", form: [row("a", "1")] },
  };
  expect(build(form)).toMatchObject({ request: { body: { a: "1" }, bodyEncoding: "form" } });
  const file = { name: "x.png", type: "image/png", base64: "AA==", size: 1 };
  const upload: Draft = { ...blankDraft(), method: "POST", body: { ...EMPTY_BODY, mode: "file", file } };
  expect(build(upload)).toMatchObject({
    request: { body: "AA==", bodyEncoding: "base64", headers: { "Content-Type": "image/png" } },
  });
});

test("a multipart draft says what its files are, and asks for one that is missing", () => {
  const file = { name: 'a"b.png', type: "image/png\r\nX: y", base64: btoa("\x00\xff"), size: 2 };
  const form = [
    row("title", "x"),
    row("tag", "1"),
    row("tag", "2"),
    row("cover", "", { type: "file", file }),
  ];
  const body: BodyDraft = { ...EMPTY_BODY, mode: "multipart", form };
  const draft: Draft = { ...blankDraft(), headers: [row("content-type", "text/plain")], body };
  const cover = { filename: 'a"b.png', contentType: "application/octet-stream", base64: "AP8=" };
  expect(build(draft)).toMatchObject({
    request: { bodyEncoding: "multipart", body: { title: "x", tag: ["1", "2"], cover } },
  });
  // The server's own has a boundary.
  expect(build(draft)).not.toHaveProperty("request.headers");
  const missing = row("cover", "", { type: "file", file: null, required: true });
  expect(build({ ...draft, body: { ...body, form: [missing] } })).toMatchObject({
    problem: { tab: "body", field: "cover" },
  });
});

test("a 422 of FastAPI is read into fields, anything else is not", () => {
  const detail = [{ loc: ["body", "items", 0, "price"], msg: "Input should be greater than 0" }];
  expect(fieldErrors(422, { detail })).toEqual([
    {
      where: "body",
      field: "items.0.price",
      path: ["items", "0", "price"],
      message: "Input should be greater than 0",
    },
  ]);
  expect(fieldErrors(422, { detail: "no" })).toEqual([]);
  expect(fieldErrors(400, { detail })).toEqual([]);
});
