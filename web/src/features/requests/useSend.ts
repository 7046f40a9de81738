import { useRef, useState } from "react";
import { useApi } from "../../api/context";
import { messageOf } from "../../api/errors";
import type { ProxyRequest, ProxyResponse } from "../../api/types";

export type Exchange =
  | { state: "idle" }
  | { state: "sending"; request: ProxyRequest }
  | { state: "answered"; request: ProxyRequest; response: ProxyResponse; at: number }
  | { state: "failed"; request: ProxyRequest; error: unknown; message: string };

/** Sends one request at a time through the server; a new one, or `cancel`, gives up on the last. */
export function useSend(generationId: string) {
  const api = useApi();
  const [exchange, setExchange] = useState<Exchange>({ state: "idle" });
  const pending = useRef<AbortController | null>(null);

  const send = async (token: string, request: ProxyRequest): Promise<Exchange> => {
    pending.current?.abort();
    const attempt = new AbortController();
    pending.current = attempt;
    setExchange({ state: "sending", request });
    const outcome = await settle(() => api.request(generationId, token, request, attempt.signal), request);
    if (pending.current === attempt) setExchange(attempt.signal.aborted ? { state: "idle" } : outcome);
    return outcome;
  };
  const cancel = () => pending.current?.abort();
  return { exchange, show: setExchange, send, cancel };
}

async function settle(call: () => Promise<ProxyResponse>, request: ProxyRequest): Promise<Exchange> {
  try {
    return { state: "answered", request, response: await call(), at: Date.now() };
  } catch (error) {
    return { state: "failed", request, error, message: messageOf(error) };
  }
}
