import { ago, milliseconds } from "../../shared/lib/format";
import { useNow } from "../../shared/lib/hooks";
import { MethodTag } from "../../shared/ui/MethodTag";
import type { HistoryEntry } from "./history";
import css from "./requests.module.css";

export interface HistoryListProps {
  entries: readonly HistoryEntry[];
  onReplay: (entry: HistoryEntry) => void;
}

export function HistoryList({ entries, onReplay }: HistoryListProps) {
  const now = useNow(30_000);
  if (entries.length === 0)
    return <p className={css.hint}>What you send is listed here, to be sent again.</p>;
  return (
    <ul className={css.history}>
      {entries.map((entry) => (
        <li key={entry.key}>
          <button type="button" className={css.historyEntry} onClick={() => onReplay(entry)}>
            <MethodTag method={entry.request.method} />
            <span className={css.historyPath}>{entry.request.path}</span>
            <span>{entry.statusCode ?? "no answer"}</span>
            <span className={css.historyMeta}>
              {entry.durationMs !== null && milliseconds(entry.durationMs)}
              {" · "}
              {ago(new Date(entry.at).toISOString(), now)}
            </span>
          </button>
        </li>
      ))}
    </ul>
  );
}
