import { expect, test } from "vitest";
import type { Endpoint } from "../../api/types";
import { firstEndpoint, groupEndpoints } from "./grouping";

const endpoint = (method: string, path: string, more: Partial<Endpoint> = {}): Endpoint => ({
  method,
  path,
  description: "",
  operationId: `${method} ${path}`,
  tags: [],
  deprecated: false,
  secured: false,
  ...more,
});

test("groups by tag, else by the first telling part of the path", () => {
  const groups = groupEndpoints(
    [
      endpoint("GET", "/api/v1/users"),
      endpoint("GET", "/things", { tags: ["Users!"] }),
      endpoint("GET", "/"),
      endpoint("POST", "/api/v1/users"),
    ],
    "",
  );
  expect(groups.map(({ name, endpoints }) => [name, endpoints.length])).toEqual([
    ["users", 2],
    ["Users!", 1],
    ["root", 1],
  ]);
});

test("every word of the filter must be found somewhere", () => {
  const all = [endpoint("GET", "/users", { description: "List" }), endpoint("POST", "/users")];
  expect(groupEndpoints(all, "users list")[0]?.endpoints).toHaveLength(1);
  expect(groupEndpoints(all, "post users")[0]?.endpoints[0]?.method).toBe("POST");
  expect(groupEndpoints(all, "nothing")).toEqual([]);
});

test("the first endpoint to show is a GET that can be sent as it is", () => {
  const health = endpoint("GET", "/health");
  const books = endpoint("GET", "/books");
  expect(firstEndpoint([endpoint("POST", "/books"), health, endpoint("GET", "/books/{id}"), books])).toBe(
    books,
  );
  expect(firstEndpoint([endpoint("POST", "/books"), health])).toBe(health);
  expect(firstEndpoint([])).toBeNull();
});
