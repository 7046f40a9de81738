import type { ProxyRequest } from "../../api/types";
import type { Draft } from "./draft";
import type { Exchange } from "./useSend";

/** Requests remembered per generation. */
export const HISTORY = 50;

export interface HistoryEntry {
  key: string;
  at: number;
  /** What was written, so that it can be changed and sent again. */
  draft: Draft;
  request: ProxyRequest;
  statusCode: number | null;
  durationMs: number | null;
  /** What its log lines carry. */
  requestId: string | null;
}

/** The history with one more entry at its head, and no more than it may hold. */
export function remember(
  entries: readonly HistoryEntry[],
  draft: Draft,
  outcome: Exchange,
  at: number,
): HistoryEntry[] {
  if (outcome.state !== "answered" && outcome.state !== "failed") return [...entries];
  const response = outcome.state === "answered" ? outcome.response : null;
  const entry: HistoryEntry = {
    key: `${at}-${entries.length}`,
    at,
    draft,
    request: outcome.request,
    statusCode: response?.statusCode ?? null,
    durationMs: response?.durationMs ?? null,
    requestId: response?.requestId ?? null,
  };
  return [entry, ...entries].slice(0, HISTORY);
}

const keyOf = (generationId: string) => `previewd.history.${generationId}`;

/** Keeps the history for the browser session, without tokens, passwords and files. */
export function keep(generationId: string, entries: readonly HistoryEntry[]): void {
  const bare = entries.map(({ draft, request, ...entry }) => ({
    ...entry,
    request: { method: request.method, path: request.path },
    draft: { ...draft, auth: { kind: "none" }, body: { ...draft.body, file: null } },
  }));
  try {
    sessionStorage.setItem(keyOf(generationId), JSON.stringify(bare));
  } catch {
    // Storage may be full or forbidden; the history then lasts as long as the page.
  }
}

export function recall(generationId: string): HistoryEntry[] {
  try {
    const stored: unknown = JSON.parse(sessionStorage.getItem(keyOf(generationId)) ?? "[]");
    return Array.isArray(stored) ? (stored as HistoryEntry[]) : [];
  } catch {
    return [];
  }
}
