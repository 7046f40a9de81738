import { useMutation, useQuery } from "@tanstack/react-query";
import { useLayoutEffect, useRef, useState } from "react";
import type { Api } from "../../api/client";
import { useApi } from "../../api/context";
import type { Endpoint, KeptRequest, PreviewState, ProxyResponse } from "../../api/types";
import { firstEndpoint } from "../endpoints/grouping";
import type { LogTarget } from "../logs/useTarget";
import type { Draft } from "../requests/draft";
import { asEndpoint } from "../requests/kept";
import { endpointKey, useWorkbench } from "../requests/useWorkbench";

/** What the middle shows: the preview's state, a request, or a file. */
export type View = { kind: "state" } | { kind: "request" } | { kind: "file"; path: string; line?: number };

/** Texts of files that were changed and are not saved, by path. */
type Edits = Readonly<Record<string, string>>;

/** On a narrow screen only one part is shown. */
export type Pane = "endpoints" | "main" | "logs";

/** What is looked at in a generation's tab, and how one thing leads to another. */
export function useWorkspace(generationId: string, state: PreviewState) {
  const api = useApi();
  const workbench = useWorkbench(generationId);
  const { endpoints, warnings, fresh, error } = useEndpoints(generationId, state);
  const [view, setView] = useState<View>({ kind: "state" });
  const [edits, setEdits] = useState<Edits>({});
  const [target, setTarget] = useState<LogTarget | null>(lineOfAddress);
  const [pane, setPane] = useState<Pane>(target === null ? "main" : "logs");

  const openEndpoint = (endpoint: Endpoint) => {
    workbench.select(endpoint);
    setView({ kind: "request" });
    setPane("main");
  };
  const openFile = (path: string, line?: number) => {
    setView({ kind: "file", path, ...(line === undefined ? {} : { line }) });
    setPane("main");
  };
  const edit = (path: string, text: string | null) =>
    setEdits(({ [path]: _, ...others }) => (text === null ? others : { ...others, [path]: text }));
  const openDraft = (draft: Draft) => {
    workbench.open(asEndpoint(draft, endpoints ?? []));
    setView({ kind: "request" });
    setPane("main");
  };
  const showLogs = ({ requestId }: Pick<ProxyResponse, "requestId">) => {
    setTarget({ requestId });
    setPane("logs");
  };
  /** Opens the request that a log line belongs to, whoever sent it. */
  const lookUp = useMutation({
    mutationFn: async (requestId: string) => {
      const entry = workbench.history.find((one) => one.requestId === requestId);
      if (entry?.exchange) workbench.openEntry(entry);
      else await workbench.openKept(await keptRequest(api, generationId, requestId), endpoints ?? []);
      setView({ kind: "request" });
      setPane("main");
    },
  });
  // biome-ignore lint/correctness/useExhaustiveDependencies: only other endpoints are news.
  useLayoutEffect(() => workbench.learnOf(endpoints ?? []), [endpoints]);
  useEntering(state, fresh, (isNews) => {
    // Who edits goes on, but for what a launch has to say.
    const told = isNews && (state.phase === "launching" || state.phase === "failed");
    if (view.kind === "file" && !told) return;
    // Endpoints that come later do not take away what was chosen meanwhile.
    if (view.kind === "request" && !isNews) return;
    const first = firstEndpoint(endpoints ?? []);
    const request = state.phase === "running" && (workbench.selected !== "" || (fresh && first !== null));
    if (request && first && workbench.selected === "") workbench.select(first);
    setView({ kind: request ? "request" : "state" });
  });

  const endpoint = endpoints?.find((one) => endpointKey(one) === workbench.selected) ?? null;
  return {
    ...{ workbench, endpoints, warnings, endpointsError: error, endpoint },
    ...{ view, pane, setPane, target, edits, edit },
    ...{ openEndpoint, openFile, openDraft, showLogs, lookUp },
  };
}

export type Workspace = ReturnType<typeof useWorkspace>;

/**
 * Calls back once whenever the preview enters another state (`isNews`), and when that state's endpoints are known: before
 * they are seen, so that what is clicked then comes after it.
 */
function useEntering(state: PreviewState, known: boolean, onEnter: (isNews: boolean) => void): void {
  const entered = useRef({ phase: "", known: false });
  useLayoutEffect(() => {
    const before = entered.current;
    if (before.phase === state.phase && before.known === known) return;
    entered.current = { phase: state.phase, known };
    onEnter(before.phase !== state.phase);
  });
}

function useEndpoints(generationId: string, state: PreviewState) {
  const api = useApi();
  // A running preview's own OpenAPI document knows more than its source.
  const version =
    state.phase === "running" ? `${state.preview.previewInstanceId} ${state.preview.revision}` : "";
  const query = useQuery({
    queryKey: ["endpoints", generationId, version],
    queryFn: () => api.endpoints(generationId),
    placeholderData: (before) => before,
    staleTime: 60_000,
  });
  return {
    endpoints: query.data?.endpoints ?? null,
    warnings: query.data?.warnings ?? [],
    fresh: query.isSuccess && !query.isPlaceholderData,
    error: query.error,
  };
}

async function keptRequest(api: Api, generationId: string, requestId: string): Promise<KeptRequest> {
  const kept = (await api.requests(generationId, requestId))[0];
  if (kept === undefined) throw new Error("This request is no longer in the history: it has the last 500.");
  return kept;
}

/** The line that the address names: `#L1201`. */
function lineOfAddress(): LogTarget | null {
  const id = /^#L(\d+)$/.exec(window.location.hash)?.[1];
  return id === undefined ? null : { id: Number(id) };
}
