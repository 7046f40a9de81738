// @vitest-environment jsdom
import { act, renderHook } from "@testing-library/react";
import { afterEach, expect, test } from "vitest";
import { navigate, routeOf, useRoute } from "./router";
import { adoptTokenOfAddress, session } from "./session";

afterEach(() => {
  sessionStorage.clear();
  history.replaceState(null, "", "/");
});

test("the token is taken from the address, and out of it", () => {
  history.replaceState(null, "", "/g/gen_1?x=1#token=abc.def&L12");
  adoptTokenOfAddress(window.location, history);
  expect(session.token()).toBe("abc.def");
  expect(window.location.href).not.toContain("abc");
  expect(window.location.pathname + window.location.search).toBe("/g/gen_1?x=1");
});

test("a link to a line is left alone", () => {
  history.replaceState(null, "", "/g/gen_1#L12");
  adoptTokenOfAddress(window.location, history);
  expect(session.token()).toBeNull();
  expect(window.location.hash).toBe("#L12");
});

test("addresses name their page", () => {
  expect(routeOf("/")).toEqual({ page: "home" });
  expect(routeOf("/g/gen_1")).toEqual({ page: "generation", id: "gen_1" });
  expect(routeOf("/other")).toEqual({ page: "unknown" });
});

test("the page goes where it is led, and back with the browser's own button", () => {
  const { result, unmount } = renderHook(useRoute);
  act(() => navigate("/g/gen_1"));
  expect(result.current).toEqual({ page: "generation", id: "gen_1" });
  history.replaceState(null, "", "/");
  act(() => void window.dispatchEvent(new PopStateEvent("popstate")));
  expect(result.current).toEqual({ page: "home" });
  unmount();
  session.signIn(" token ");
  expect(session.token()).toBe("token");
  session.signOut();
  expect(session.token()).toBeNull();
});
