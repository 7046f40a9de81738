import { ChevronRight, Link2, ListTree, Send } from "lucide-react";
import { memo, type ReactNode, type Ref } from "react";
import type { LogLine } from "../../api/types";
import { plural } from "../../shared/lib/format";
import { classes, IconButton } from "../../shared/ui/Button";
import { CopyButton } from "../../shared/ui/CopyButton";
import { ansiRuns } from "./ansi";
import { clockTime } from "./clock";
import { lineText } from "./export";
import { isGap, type LogItem } from "./logStore";
import css from "./logs.module.css";
import type { SearchQuery } from "./search";
import { shownText } from "./shownText";
import { summarize } from "./traceback";

export interface LogRowProps {
  rowRef: Ref<HTMLDivElement>;
  index: number;
  item: LogItem;
  time: boolean;
  query: SearchQuery;
  /** Holds the current match. */
  current: boolean;
  /** Was linked to. */
  marked: boolean;
  /** Shows all lines of a message of several. */
  open: boolean;
  onToggle: () => void;
  onContext?: (id: number) => void;
  onRequest?: (requestId: string) => void;
}

export const LogRow = memo(
  function LogRow({ rowRef, index, item, ...props }: LogRowProps) {
    if (isGap(item)) {
      return (
        <div ref={rowRef} data-index={index} className={css.gap}>
          {plural(item.to - item.from + 1, "line")} dropped ({item.from} to {item.to})
        </div>
      );
    }
    return (
      <div
        ref={rowRef}
        data-index={index}
        data-marked={props.marked || undefined}
        className={classes(
          css.row,
          css[`level-${item.level}`],
          props.current && css.current,
          props.marked && css.marked,
        )}
      >
        {props.time && <time className={css.time}>{clockTime(item.timestamp)}</time>}
        <span className={css.level}>{item.level}</span>
        <span className={css.source}>{item.source}</span>
        <Message {...props} text={shownText(item)} />
        <RowActions item={item} onContext={props.onContext} onRequest={props.onRequest} />
      </div>
    );
  },
  (a, b) =>
    a.item === b.item &&
    a.index === b.index &&
    a.time === b.time &&
    a.query === b.query &&
    a.onContext === b.onContext &&
    a.current === b.current &&
    a.marked === b.marked &&
    a.open === b.open,
);

type RowActionsProps = { item: LogLine } & Pick<LogRowProps, "onContext" | "onRequest">;

function RowActions({ item, onContext, onRequest }: RowActionsProps) {
  const { id, requestId } = item;
  const link = () => {
    history.replaceState(history.state, "", `#L${id}`);
    return window.location.href;
  };
  return (
    <span className={css.rowActions}>
      {requestId !== undefined && onRequest && (
        <IconButton
          size="small"
          label={`Show the request of line ${id}`}
          icon={<Send size={13} />}
          onClick={() => onRequest(requestId)}
        />
      )}
      {onContext && (
        <IconButton
          size="small"
          label={`Show line ${id} among all lines`}
          icon={<ListTree size={13} />}
          onClick={() => onContext(id)}
        />
      )}
      <CopyButton label={`Copy a link to line ${id}`} icon={<Link2 size={13} />} text={link} />
      <CopyButton label={`Copy line ${id}`} text={() => lineText(item)} />
    </span>
  );
}

interface MessageProps {
  text: string;
  query: SearchQuery;
  open: boolean;
  onToggle: () => void;
}

function Message({ text, query, open, onToggle }: MessageProps) {
  const summary = text.includes("\n") ? summarize(text) : null;
  if (summary === null) return <span className={css.message}>{highlighted(text, query)}</span>;
  return (
    <span className={css.message}>
      <button type="button" className={css.disclose} aria-expanded={open} onClick={onToggle}>
        <ChevronRight size={12} aria-hidden="true" />
        <span className={css.discloseText}>
          {open ? summary.head : highlighted(summary.tail ?? summary.head, query)}
        </span>
        <span className={css.lines}>{plural(summary.lines, "line")}</span>
      </button>
      {open && <span className={css.block}>{highlighted(text, query)}</span>}
    </span>
  );
}

function highlighted(text: string, query: SearchQuery): ReactNode {
  return ansiRuns(text).map((run, index) => (
    // biome-ignore lint/suspicious/noArrayIndexKey: runs of one line never move.
    <span key={index} className={run.className || undefined}>
      {marks(run.text, query)}
    </span>
  ));
}

function marks(text: string, { text: needle, caseSensitive, regex }: SearchQuery): ReactNode {
  if (needle === "" || regex) return text;
  const hay = caseSensitive ? text : text.toLowerCase();
  const wanted = caseSensitive ? needle : needle.toLowerCase();
  const parts: ReactNode[] = [];
  let from = 0;
  for (let at = hay.indexOf(wanted); at >= 0; at = hay.indexOf(wanted, from)) {
    parts.push(text.slice(from, at), <mark key={at}>{text.slice(at, at + needle.length)}</mark>);
    from = at + needle.length;
  }
  parts.push(text.slice(from));
  return parts;
}
