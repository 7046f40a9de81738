// @vitest-environment jsdom
import { act, renderHook } from "@testing-library/react";
import { expect, test } from "vitest";
import type { ProxyResponse } from "../../api/types";
import { useSend } from "./useSend";

const REQUEST = { method: "GET", path: "/" };
const answer = (statusCode: number) => ({ statusCode }) as ProxyResponse;

/** A call that is answered when the test says so. */
function called() {
  let resolve: (response: ProxyResponse) => void = () => {};
  let signal: AbortSignal | undefined;
  const call = (given: AbortSignal) => {
    signal = given;
    return new Promise<ProxyResponse>((done, failed) => {
      resolve = done;
      given.addEventListener("abort", () => failed(given.reason));
    });
  };
  return { call, resolve: (response: ProxyResponse) => resolve(response), aborted: () => signal?.aborted };
}

test("an answer is shown, a failure told, and a cancelled request forgotten", async () => {
  const { result } = renderHook(useSend);
  const first = called();
  let sent: Promise<unknown> = Promise.resolve();
  act(() => {
    sent = result.current.send(REQUEST, first.call);
  });
  expect(result.current.exchange.state).toBe("sending");
  first.resolve(answer(200));
  await act(() => sent);
  expect(result.current.exchange).toMatchObject({ state: "answered", response: { statusCode: 200 } });
  await act(() => result.current.send(REQUEST, () => Promise.reject(new Error("no way"))));
  expect(result.current.exchange).toMatchObject({ state: "failed", message: "no way" });
  act(() => {
    sent = result.current.send(REQUEST, called().call);
  });
  act(() => result.current.cancel());
  await act(() => sent);
  expect(result.current.exchange).toEqual({ state: "idle" });
});

test("a new request gives up on the last; what is shown instead of one keeps its place", async () => {
  const { result } = renderHook(useSend);
  const [first, second] = [called(), called()];
  let sent: Promise<unknown> = Promise.resolve();
  act(() => void result.current.send(REQUEST, first.call));
  act(() => {
    sent = result.current.send(REQUEST, second.call);
  });
  expect(first.aborted()).toBe(true);
  // Another endpoint is looked at: the answer still comes, but not there.
  act(() => result.current.show({ state: "idle" }));
  second.resolve(answer(201));
  let outcome: unknown;
  await act(async () => {
    outcome = await sent;
  });
  expect(outcome).toMatchObject({ state: "answered", response: { statusCode: 201 } });
  expect(second.aborted()).toBe(false);
  expect(result.current.exchange).toEqual({ state: "idle" });
});
