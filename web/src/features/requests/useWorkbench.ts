import { useQueryClient } from "@tanstack/react-query";
import { useRef, useState } from "react";
import { useApi } from "../../api/context";
import type { Endpoint, KeptExchange, KeptRequest, PreviewStatus, ProxyRequest } from "../../api/types";
import { build } from "./build";
import { blankDraft, type Draft, draftFor } from "./draft";
import { type HistoryEntry, type HistoryItem, keep, recall, remember } from "./history";
import { asEndpoint, draftOf, exchangeOf } from "./kept";
import { tokenIn } from "./response";
import { type Exchange, useSend } from "./useSend";

export type Workbench = ReturnType<typeof useWorkbench>;

export const historyKey = (generationId: string) => ["requests", generationId] as const;

/** What is being written and sent for a generation: a draft for each endpoint, kept while others are looked at. */
export function useWorkbench(generationId: string) {
  const api = useApi();
  const queries = useQueryClient();
  const [drafts, setDrafts] = useState<Record<string, Draft>>({});
  const [selected, setSelected] = useState<string>("");
  const [history, setHistory] = useState<HistoryEntry[]>(() => recall(generationId));
  const [token, setToken] = useState<string | null>(null);
  const [session, setSession] = useState(newSession);
  const [cookies, setCookies] = useState<readonly string[]>([]);
  const { exchange, show, send: sendRequest, cancel } = useSend();
  const secured = useRef(new Set<string>());
  const made = useRef(new Map<string, { from: string; draft: Draft }>());

  const draft = drafts[selected] ?? blankDraft();
  const change = (next: Draft) => setDrafts((all) => ({ ...all, [selected]: next }));
  const make = (endpoints: readonly Endpoint[]) => {
    for (const endpoint of endpoints) {
      const key = endpointKey(endpoint);
      if (endpoint.secured) secured.current.add(key);
      const draft = endpoint.secured ? signedIn(draftFor(endpoint), token) : draftFor(endpoint);
      made.current.set(key, { from: JSON.stringify(endpoint), draft });
      setDrafts((all) => ({ ...all, [key]: draft }));
    }
  };
  /** More may be known of endpoints by now: forms in which nothing was changed are made anew. */
  const learnOf = (endpoints: readonly Endpoint[]) =>
    make(
      endpoints.filter((endpoint) => {
        const key = endpointKey(endpoint);
        const known = made.current.get(key);
        return known && known.draft === drafts[key] && known.from !== JSON.stringify(endpoint);
      }),
    );
  const select = (endpoint: Endpoint) => {
    const key = endpointKey(endpoint);
    if (drafts[key] === undefined) make([endpoint]);
    if (key !== selected) show({ state: "idle" });
    setSelected(key);
  };
  const send = async ({ previewToken }: PreviewStatus, request: ProxyRequest, of: Draft = draft) => {
    const asked = { ...request, session };
    learn(
      of,
      await sendRequest(request, (signal) => api.request(generationId, previewToken ?? "", asked, signal)),
    );
  };
  /** Remembers what was sent, and takes from the answer what the next requests need. */
  const learn = (of: Draft, outcome: Exchange) => {
    setHistory((entries) => {
      const next = remember(entries, of, outcome, Date.now());
      keep(generationId, next);
      return next;
    });
    void queries.invalidateQueries({ queryKey: historyKey(generationId) });
    if (outcome.state !== "answered") return;
    setCookies(Object.keys(outcome.response.cookies ?? {}));
    const found = tokenIn(outcome.response);
    if (found !== null) takeToken(found);
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
  const open = (next: Draft, answer: Exchange = { state: "idle" }) => {
    const key = endpointKey(next);
    setDrafts((all) => ({ ...all, [key]: next }));
    setSelected(key);
    show(answer);
  };
  const openEntry = ({ draft: sent, exchange: known }: HistoryEntry) => open(sent, known);
  /** Shows a request of the server's history with what it was answered. */
  const openKept = async ({ id }: KeptRequest, endpoints: readonly Endpoint[]): Promise<KeptExchange> => {
    const kept = await api.keptRequest(generationId, id);
    open(asEndpoint(draftOf(kept), endpoints), exchangeOf(kept));
    return kept;
  };
  /** Sends a request of the history again: as it was written here, else as the server has it. */
  const again = async (
    { entry, kept }: HistoryItem,
    preview: PreviewStatus,
    endpoints: readonly Endpoint[],
  ) => {
    const built = entry?.exchange ? build(entry.draft) : null;
    if (entry && built && "request" in built) {
      open(entry.draft);
      await send(preview, built.request, entry.draft);
    } else if (kept) {
      const whole = await openKept(kept, endpoints);
      const request = { method: whole.method, path: whole.path };
      const outcome = await sendRequest(request, (signal) =>
        api.replay(generationId, kept.id, session, signal),
      );
      learn(asEndpoint(draftOf(whole), endpoints), outcome);
    }
  };
  const forgetCookies = () => {
    setSession(newSession());
    setCookies([]);
  };
  return {
    ...{ generationId, draft, change, select, learnOf, selected, exchange, send, cancel },
    ...{ history, open, openEntry, openKept, again, token, cookies, forgetCookies },
  };
}

export const endpointKey = ({ method, path }: Pick<Endpoint, "method" | "path">): string =>
  `${method} ${path}`;

/** Names a jar for the application's cookies, this page's own. */
const newSession = () => `page-${Math.random().toString(36).slice(2)}`;

/** With the token, unless the person has chosen how to sign in; `before` is the token that we gave it last. */
function signedIn(draft: Draft, token: string | null, before: string | null = null): Draft {
  const { auth } = draft;
  const free =
    auth.kind === "none" || (auth.kind === "bearer" && (auth.token === "" || auth.token === before));
  return free && token !== null ? { ...draft, auth: { kind: "bearer", token } } : draft;
}
