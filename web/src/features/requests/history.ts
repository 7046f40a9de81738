import type { KeptRequest, ProxyRequest, ProxyResponse } from "../../api/types";
import type { BodyDraft, Draft } from "./draft";
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
  /** What came back; only while the page is open, and only if it is not large. */
  exchange?: Exchange;
}

/** Answers up to this many characters are kept with their entry. */
const KEPT_ANSWER = 200_000;

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
    ...(response === null || isSmall(response) ? { exchange: outcome } : {}),
  };
  return [entry, ...entries].slice(0, HISTORY);
}

/** By what is quickly known: text by its length, JSON by the length that it came with. */
function isSmall({ data, headers }: ProxyResponse): boolean {
  const size = typeof data === "string" ? data.length : Number(headers["content-length"] ?? 0);
  return size <= KEPT_ANSWER;
}

/** A request of the history: written here, kept by the server, or both. */
export interface HistoryItem {
  key: string;
  at: number;
  method: string;
  path: string;
  /** `null` where there was no answer. */
  statusCode: number | null;
  durationMs: number | null;
  entry: HistoryEntry | null;
  kept: KeptRequest | null;
}

/** What was sent from here, and what else the server remembers, newest first. */
export function historyItems(entries: readonly HistoryEntry[], kept: readonly KeptRequest[]): HistoryItem[] {
  const written = new Map(entries.map((entry) => [entry.requestId, entry]));
  const known = new Set(kept.map(({ requestId }) => requestId));
  const ofServer = kept.map((one): HistoryItem => {
    const { requestId, timestamp, method, path, statusCode, durationMs } = one;
    const entry = written.get(requestId) ?? null;
    const shown = { method, path, statusCode, durationMs };
    return { key: requestId, at: Date.parse(timestamp), ...shown, entry, kept: one };
  });
  const onlyHere = entries
    .filter(({ requestId }) => requestId === null || !known.has(requestId))
    .map((entry): HistoryItem => {
      const { key, at, request, statusCode, durationMs } = entry;
      return {
        key,
        at,
        method: request.method,
        path: request.path,
        statusCode,
        durationMs,
        entry,
        kept: null,
      };
    });
  return [...ofServer, ...onlyHere].sort((a, b) => b.at - a.at);
}

const keyOf = (generationId: string) => `previewd.history.${generationId}`;

/** Keeps the history for the browser session, without tokens, passwords and files. */
export function keep(generationId: string, entries: readonly HistoryEntry[]): void {
  const bare = entries.map(({ draft, request, exchange, ...entry }) => ({
    ...entry,
    request: { method: request.method, path: request.path },
    draft: { ...draft, auth: { kind: "none" }, body: withoutSecrets(draft.body) },
  }));
  try {
    sessionStorage.setItem(keyOf(generationId), JSON.stringify(bare));
  } catch {
    // Storage may be full or forbidden; the history then lasts as long as the page.
  }
}

function withoutSecrets(body: BodyDraft): BodyDraft {
  const form = body.form.map((row) => ({
    ...row,
    value: /password|secret|token/i.test(row.name) ? "" : row.value,
    ...(row.file ? { file: null } : {}),
  }));
  return { ...body, form, file: null };
}

export function recall(generationId: string): HistoryEntry[] {
  try {
    const stored: unknown = JSON.parse(sessionStorage.getItem(keyOf(generationId)) ?? "[]");
    return Array.isArray(stored) ? (stored as HistoryEntry[]) : [];
  } catch {
    return [];
  }
}
