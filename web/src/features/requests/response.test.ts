import { expect, test } from "vitest";
import type { ProxyResponse } from "../../api/types";
import {
  bodyBytes,
  bodyText,
  claimsJson,
  fileNameOf,
  header,
  reasonOf,
  sizeOf,
  tokenIn,
  toneOf,
  viewOf,
} from "./response";
import { fieldErrors } from "./validation";

const response = (more: Partial<ProxyResponse>): ProxyResponse => ({
  statusCode: 200,
  data: "",
  dataEncoding: "text",
  headers: {},
  durationMs: 1,
  requestId: "r",
  timing: { connectMs: 0, firstByteMs: 1, totalMs: 1 },
  truncated: false,
  ...more,
});
const typed = (type: string, more: Partial<ProxyResponse>) =>
  response({ headers: { "Content-Type": type }, ...more });

test("an answer is shown as what it is", () => {
  expect(viewOf(response({ statusCode: 204, data: "x" }))).toBe("empty");
  expect(viewOf(response({ data: null }))).toBe("empty");
  expect(viewOf(response({ data: null, dataEncoding: "json" }))).toBe("json");
  expect(viewOf(response({ data: "hello" }))).toBe("text");
  expect(viewOf(typed("image/png", { data: "AA==", dataEncoding: "base64" }))).toBe("image");
  // A document that could hold a script is none to be shown as an image.
  expect(viewOf(typed("image/svg+xml", { data: "AA==", dataEncoding: "base64" }))).toBe("binary");
  expect(claimsJson(typed("application/problem+json", { data: "{" }))).toBe(true);
  expect(claimsJson(typed("application/json", { data: {}, dataEncoding: "json" }))).toBe(false);
  expect(header(response({ headers: { "Set-Cookie": ["a", "b"] } }), "set-cookie")).toBe("a");
  expect(header(response({}), "etag")).toBe("");
});

test("a body is copied as text, saved as bytes, and named by its type alone", () => {
  const json = response({ data: { a: 1 }, dataEncoding: "json" });
  expect(bodyText(json)).toBe('{\n  "a": 1\n}');
  expect(sizeOf(json)).toBe('{"a":1}'.length);
  expect([...bodyBytes(response({ data: "AP8=", dataEncoding: "base64" }))]).toEqual([0, 255]);
  expect(sizeOf(response({ data: "ä", headers: { "content-length": "7" } }))).toBe(7);
  expect(sizeOf(response({ data: "ä" }))).toBe(2);
  expect(fileNameOf(json)).toBe("response.json");
  expect(fileNameOf(typed("text/plain; charset=utf-8", {}))).toBe("response.txt");
  expect(fileNameOf(typed("image/webp", {}))).toBe("response.webp");
  expect(fileNameOf(typed("application/../../x", {}))).toBe("response.bin");
});

test("a login's token is found, anything else is none", () => {
  const login = (data: unknown, statusCode = 200) =>
    tokenIn(response({ data, dataEncoding: "json", statusCode }));
  expect(login({ access_token: "0123456789" })).toBe("0123456789");
  expect(login({ token: "0123456789" })).toBe("0123456789");
  expect(login({ token: "short" })).toBeNull();
  expect(login({ token: "0123456789" }, 401)).toBeNull();
  expect(login("0123456789")).toBeNull();
  expect([200, 302, 404, 500].map(toneOf)).toEqual(["ok", "info", "warn", "error"]);
  expect([reasonOf(422), reasonOf(299)]).toEqual(["Unprocessable Content", ""]);
});

test("complaints of a 422 are told by their fields, where it has any", () => {
  const detail = [{ loc: ["body", "items", 0, "price"], msg: "too low" }, { loc: "body", msg: "?" }, "no"];
  expect(fieldErrors(422, { detail })).toEqual([
    { where: "body", field: "items.0.price", path: ["items", "0", "price"], message: "too low" },
  ]);
  expect(fieldErrors(400, { detail })).toEqual([]);
  expect(fieldErrors(422, { detail: "no" })).toEqual([]);
});
