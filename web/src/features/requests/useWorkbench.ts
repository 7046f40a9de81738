import { useRef, useState } from "react";
import type { Endpoint, PreviewStatus, ProxyRequest } from "../../api/types";
import { blankDraft, type Draft, draftFor } from "./draft";
import { type HistoryEntry, keep, recall, remember } from "./history";
import { tokenIn } from "./response";
import { useSend } from "./useSend";

export type Workbench = ReturnType<typeof useWorkbench>;

/** What is being written and sent for a generation: a draft for each endpoint, kept while others are looked at. */
export function useWorkbench(generationId: string) {
  const [drafts, setDrafts] = useState<Record<string, Draft>>({});
  const [selected, setSelected] = useState<string>("");
  const [history, setHistory] = useState<HistoryEntry[]>(() => recall(generationId));
  const [token, setToken] = useState<string | null>(null);
  const { exchange, show, send: sendRequest, cancel } = useSend(generationId);
  const secured = useRef(new Set<string>());
  const draft = drafts[selected] ?? blankDraft();
  const change = (next: Draft) => setDrafts((all) => ({ ...all, [selected]: next }));

  const select = (endpoint: Endpoint) => {
    const key = endpointKey(endpoint);
    if (endpoint.secured) secured.current.add(key);
    const fresh = () => (endpoint.secured ? signedIn(draftFor(endpoint), token) : draftFor(endpoint));
    setDrafts((all) => ({ ...all, [key]: all[key] ?? fresh() }));
    if (key !== selected) show({ state: "idle" });
    setSelected(key);
  };
  const send = async (preview: PreviewStatus, request: ProxyRequest) => {
    const outcome = await sendRequest(preview.previewToken ?? "", request);
    setHistory((entries) => {
      const next = remember(entries, draft, outcome, Date.now());
      keep(generationId, next);
      return next;
    });
    const found = outcome.state === "answered" ? tokenIn(outcome.response) : null;
    if (found !== null) takeToken(found);
    return outcome;
  };
  /** A login's token is for the requests that wait for one as well. */
  const takeToken = (found: string) => {
    setToken(found);
    setDrafts((all) =>
      Object.fromEntries(
        Object.entries(all).map(([key, one]) => [
          key,
          secured.current.has(key) ? signedIn(one, found, token) : one,
        ]),
      ),
    );
  };
  /** Shows a request that was written elsewhere: imported, or sent before. */
  const open = (next: Draft) => {
    const key = endpointKey(next);
    setDrafts((all) => ({ ...all, [key]: next }));
    setSelected(key);
    show({ state: "idle" });
  };
  /** Shows a request that was sent before, with what it was answered where that is still known. */
  const replay = ({ draft: sent, exchange: kept }: HistoryEntry) => {
    open(sent);
    show(kept ?? { state: "idle" });
  };
  return { draft, change, select, selected, exchange, send, cancel, history, open, replay, token };
}

export const endpointKey = ({ method, path }: Pick<Endpoint, "method" | "path">): string =>
  `${method} ${path}`;

/** With the token, unless the person has chosen how to sign in; `before` is the token that we gave it last. */
function signedIn(draft: Draft, token: string | null, before: string | null = null): Draft {
  const { auth } = draft;
  const free =
    auth.kind === "none" || (auth.kind === "bearer" && (auth.token === "" || auth.token === before));
  return free && token !== null ? { ...draft, auth: { kind: "bearer", token } } : draft;
}
