import { expect, test } from "vitest";
import type { Endpoint } from "../../api/types";
import { build, fillPath } from "./build";
import { blankDraft, type Draft, draftFor, EMPTY_BODY, row } from "./draft";
import { fieldErrors } from "./validation";

const endpoint: Endpoint = {
  method: "POST",
  path: "/api/books/{book_id}/notes",
  description: "",
  requestSchema: { query: { page: "integer", draft: "boolean" }, path: { book_id: "integer" } },
  requestBody: { title: "string", price: "number", tags: "array", email: "string" },
  tags: [],
  deprecated: false,
  secured: false,
};

test("an endpoint's schema becomes a form with a body that can be sent", () => {
  const draft = draftFor(endpoint);
  expect(draft.query.map(({ name, type, enabled }) => [name, type, enabled])).toEqual([
    ["page", "integer", false],
    ["draft", "boolean", false],
  ]);
  expect(draft.pathValues).toEqual({ book_id: "" });
  expect(JSON.parse(draft.body.text)).toEqual({
    title: "A first title",
    price: 9.99,
    tags: [],
    email: "ada@example.com",
  });
});

test("a body that is no object has a sample too", () => {
  expect(draftFor({ ...endpoint, requestBody: { $: "array" } }).body.text).toBe("[]");
});

test("OAuth's password form is a form", () => {
  const fields = { grant_type: "string", username: "string", password: "string", scope: "string" };
  const { body } = draftFor({ ...endpoint, requestBody: fields });
  expect(body.mode).toBe("form");
  expect(body.form.map(({ name }) => name)).toEqual(["username", "password", "grant_type"]);
});

test("a missing path value and a broken body are told at their place", () => {
  const draft = draftFor(endpoint);
  expect(build(draft)).toMatchObject({ problem: { tab: "params", field: "book_id" } });
  const broken = { ...draft, pathValues: { book_id: "1" }, body: { ...draft.body, text: "{" } };
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

test("a 422 of FastAPI is read into fields, anything else is not", () => {
  const detail = [{ loc: ["body", "items", 0, "price"], msg: "Input should be greater than 0" }];
  expect(fieldErrors(422, { detail })).toEqual([
    { where: "body", field: "items.0.price", message: "Input should be greater than 0" },
  ]);
  expect(fieldErrors(422, { detail: "no" })).toEqual([]);
  expect(fieldErrors(400, { detail })).toEqual([]);
});
