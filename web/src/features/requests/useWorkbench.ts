import { useState } from "react";
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
  const draft = drafts[selected] ?? blankDraft();
  const change = (next: Draft) => setDrafts((all) => ({ ...all, [selected]: next }));

  const select = (endpoint: Endpoint) => {
    const key = endpointKey(endpoint);
    const fresh = () => withToken(draftFor(endpoint), endpoint, token);
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
    if (found !== null) setToken(found);
    return outcome;
  };
  /** Shows a request that was written elsewhere: imported, or sent before. */
  const open = (next: Draft) => {
    const key = endpointKey(next);
    setDrafts((all) => ({ ...all, [key]: next }));
    setSelected(key);
    show({ state: "idle" });
  };
  return { draft, change, select, selected, exchange, send, cancel, history, open, token };
}

export const endpointKey = ({ method, path }: Pick<Endpoint, "method" | "path">): string =>
  `${method} ${path}`;

function withToken(draft: Draft, endpoint: Endpoint, token: string | null): Draft {
  return endpoint.secured && token !== null ? { ...draft, auth: { kind: "bearer", token } } : draft;
}
