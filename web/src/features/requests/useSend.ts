import { useRef, useState } from "react";
import { messageOf } from "../../api/errors";
import type { ProxyRequest, ProxyResponse } from "../../api/types";

export type Exchange =
  | { state: "idle" }
  | { state: "sending"; request: ProxyRequest }
  | {
      state: "answered";
      request: ProxyRequest;
      response: ProxyResponse;
      at: number;
      /** How much of the body the history has, where it is from there. */
      kept?: "whole" | "beginning";
    }
  | { state: "failed"; request: ProxyRequest; error: unknown; message: string };

type Call = (signal: AbortSignal) => Promise<ProxyResponse>;

/** Sends one request at a time; a new one, or `cancel`, gives up on the last, and what is shown instead keeps its place. */
export function useSend() {
  const [exchange, setExchange] = useState<Exchange>({ state: "idle" });
  const pending = useRef<AbortController | null>(null);

  const send = async (request: ProxyRequest, call: Call): Promise<Exchange> => {
    pending.current?.abort();
    const attempt = new AbortController();
    pending.current = attempt;
    setExchange({ state: "sending", request });
    const outcome = await settle(() => call(attempt.signal), request);
    if (pending.current === attempt) setExchange(attempt.signal.aborted ? { state: "idle" } : outcome);
    return outcome;
  };
  const cancel = () => pending.current?.abort();
  const show = (next: Exchange) => {
    pending.current = null;
    setExchange(next);
  };
  return { exchange, show, send, cancel };
}

async function settle(call: () => Promise<ProxyResponse>, request: ProxyRequest): Promise<Exchange> {
  try {
    return { state: "answered", request, response: await call(), at: Date.now() };
  } catch (error) {
    return { state: "failed", request, error, message: messageOf(error) };
  }
}
