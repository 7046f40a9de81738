import { useMutation, useQuery } from "@tanstack/react-query";
import { Download, RotateCcw } from "lucide-react";
import { useApi } from "../../api/context";
import { messageOf } from "../../api/errors";
import type { Endpoint, PreviewState } from "../../api/types";
import { saveAs } from "../../shared/lib/clipboard";
import { ago, milliseconds } from "../../shared/lib/format";
import { useNow } from "../../shared/lib/hooks";
import { Button, classes, IconButton } from "../../shared/ui/Button";
import { Callout } from "../../shared/ui/Callout";
import { MethodTag } from "../../shared/ui/MethodTag";
import { type HistoryItem, historyItems } from "./history";
import css from "./history.module.css";
import { toneOf } from "./response";
import shared from "./shared.module.css";
import { historyKey, type Workbench } from "./useWorkbench";

/** How often to look for requests that came by the preview's own address. */
const LOOK_MS = 5_000;

export interface HistoryListProps {
  workbench: Workbench;
  endpoints: readonly Endpoint[];
  state: PreviewState;
}

/** What the preview was asked, from here and at its own address: to look at, to send again, to take along. */
export function HistoryList({ workbench, endpoints, state }: HistoryListProps) {
  const { generationId, history, openEntry, openKept, again } = workbench;
  const api = useApi();
  const kept = useQuery({
    queryKey: historyKey(generationId),
    queryFn: () => api.requests(generationId),
    refetchInterval: LOOK_MS,
  });
  const open = useMutation({
    mutationFn: async ({ entry, kept }: HistoryItem) => {
      if (kept && !entry?.exchange) await openKept(kept, endpoints);
      else if (entry) openEntry(entry);
    },
  });
  const running = state.phase === "running" ? state.preview : null;
  const resend = useMutation({
    mutationFn: async (item: HistoryItem) => {
      if (running) await again(item, running, endpoints);
    },
  });
  const save = useMutation({
    mutationFn: async () => saveAs(`${generationId}.har`, await api.har(generationId)),
  });
  const items = historyItems(history, kept.data ?? []);
  const error = open.error ?? resend.error ?? save.error ?? kept.error;
  if (items.length === 0 && !error)
    return <p className={shared.hint}>What the preview is asked is listed here, to be sent again.</p>;
  return (
    <div className={css.historyPane}>
      {error && <Callout tone="error">{messageOf(error)}</Callout>}
      <ul aria-label="Requests">
        {items.map((item) => (
          <Entry
            key={item.key}
            item={item}
            onOpen={() => open.mutate(item)}
            onAgain={running && (() => resend.mutate(item))}
          />
        ))}
      </ul>
      <Button
        className={css.har}
        size="small"
        look="quiet"
        icon={<Download size={14} />}
        busy={save.isPending}
        onClick={() => save.mutate()}
        title="The last 500 requests as an HTTP archive, without secrets"
      >
        Export HAR
      </Button>
    </div>
  );
}

interface EntryProps {
  item: HistoryItem;
  onOpen: () => void;
  /** There while a preview runs that it can be sent to. */
  onAgain: (() => void) | null;
}

function Entry({ item, onOpen, onAgain }: EntryProps) {
  const now = useNow(30_000);
  const { method, path, statusCode, durationMs, at, kept } = item;
  return (
    <li className={css.historyRow}>
      <button type="button" className={css.historyEntry} onClick={onOpen}>
        <MethodTag method={method} />
        <span className={css.historyPath}>{path}</span>
        {kept?.via === "address" && (
          <span className={css.historyMeta} title="Asked at the preview's own address">
            from outside
          </span>
        )}
        <span
          className={classes(
            css.historyStatus,
            statusCode !== null && shared[`status-${toneOf(statusCode)}`],
          )}
        >
          {statusCode ?? "no answer"}
        </span>
        <span className={css.historyMeta}>
          {durationMs !== null && `${milliseconds(durationMs)} · `}
          {ago(new Date(at).toISOString(), now)}
        </span>
      </button>
      <IconButton
        size="small"
        label={`Send ${method} ${path} again`}
        icon={<RotateCcw size={14} />}
        disabled={onAgain === null}
        onClick={onAgain ?? undefined}
      />
    </li>
  );
}
