import {
  CaseSensitive,
  ChevronDown,
  ChevronUp,
  Clock,
  Copy,
  Download,
  Ellipsis,
  Eraser,
  Regex,
  Search,
  WrapText,
} from "lucide-react";
import type { ReactNode, RefObject } from "react";
import type { LogLevel } from "../../api/types";
import { copyText, saveAs } from "../../shared/lib/clipboard";
import { classes, IconButton, Toggle } from "../../shared/ui/Button";
import { Menu } from "../../shared/ui/Menu";
import { asText } from "./export";
import type { LogSession } from "./logSession";
import type { LogItem, LogSnapshot } from "./logStore";
import css from "./logs.module.css";
import { StreamBadge } from "./StreamBadge";
import type { LogSearch } from "./useSearch";

export interface LogToolbarProps {
  session: LogSession;
  snapshot: LogSnapshot;
  /** What is shown now: what copying and saving take. */
  rows: readonly LogItem[];
  levels: ReadonlySet<LogLevel>;
  onLevels: (levels: ReadonlySet<LogLevel>) => void;
  wrap: boolean;
  onWrap: (wrap: boolean) => void;
  time: boolean;
  onTime: (time: boolean) => void;
  tools?: ReactNode;
  search: LogSearch;
  searchInput: RefObject<HTMLInputElement | null>;
}

export function LogToolbar(props: LogToolbarProps) {
  const { session, snapshot, rows, wrap, onWrap, time, onTime } = props;
  const count = snapshot.lines.toLocaleString("en");
  const dropped = snapshot.dropped > 0 ? ` (${snapshot.dropped.toLocaleString("en")} dropped)` : "";
  return (
    <div className={css.toolbar}>
      <h2 className={css.title}>Logs</h2>
      <StreamBadge state={snapshot.stream} onRetry={() => session.retry()} />
      <span className={css.total}>
        {count}
        {dropped}
      </span>
      <SearchBox search={props.search} inputRef={props.searchInput} />
      <LevelChips counts={snapshot.counts} levels={props.levels} onLevels={props.onLevels} />
      <div className={css.tools}>
        <Toggle
          size="small"
          className={css.wideTool}
          label="Wrap lines"
          on={wrap}
          icon={<WrapText size={15} />}
          onClick={() => onWrap(!wrap)}
        />
        <Toggle
          size="small"
          className={css.wideTool}
          label="Show times"
          on={time}
          icon={<Clock size={15} />}
          onClick={() => onTime(!time)}
        />
        <Menu
          trigger={<IconButton size="small" label="More log actions" icon={<Ellipsis size={15} />} />}
          items={[
            {
              label: "Wrap lines",
              icon: <WrapText size={14} />,
              note: wrap ? "✓" : "",
              onSelect: () => onWrap(!wrap),
            },
            {
              label: "Show times",
              icon: <Clock size={14} />,
              note: time ? "✓" : "",
              onSelect: () => onTime(!time),
            },
            {
              label: "Copy shown lines",
              icon: <Copy size={14} />,
              onSelect: () => void copyText(asText(rows)),
            },
            {
              label: "Copy all lines",
              icon: <Copy size={14} />,
              onSelect: () => void copyText(asText(snapshot.items)),
            },
            {
              label: "Download",
              icon: <Download size={14} />,
              onSelect: () =>
                saveAs("preview.log", new Blob([asText(snapshot.items)], { type: "text/plain" })),
            },
            { label: "Clear view", icon: <Eraser size={14} />, onSelect: () => session.store.clearView() },
          ]}
        />
        {props.tools}
      </div>
    </div>
  );
}

interface SearchBoxProps {
  search: LogSearch;
  inputRef: RefObject<HTMLInputElement | null>;
}

function SearchBox({ search, inputRef }: SearchBoxProps) {
  const { query, found, problem, at, go, change } = search;
  const active = query.text !== "";
  return (
    <div className={css.search}>
      <Search size={14} aria-hidden="true" />
      <input
        ref={inputRef}
        type="text"
        aria-label="Search the log"
        placeholder="Search"
        value={query.text}
        onChange={(event) => change({ ...query, text: event.target.value })}
        onKeyDown={(event) => {
          if (event.key === "Enter") go(event.shiftKey ? -1 : 1);
          else if (event.key === "Escape") change({ ...query, text: "" });
        }}
      />
      {active && (
        <>
          <span className={css.found} role="status">
            {problem ?? (found === 0 ? "No match" : `${at + 1}/${found}`)}
          </span>
          <IconButton
            size="small"
            label="Previous match"
            icon={<ChevronUp size={14} />}
            onClick={() => go(-1)}
          />
          <IconButton
            size="small"
            label="Next match"
            icon={<ChevronDown size={14} />}
            onClick={() => go(1)}
          />
        </>
      )}
      <Toggle
        size="small"
        label="Regular expression"
        on={query.regex}
        icon={<Regex size={14} />}
        onClick={() => change({ ...query, regex: !query.regex })}
      />
      <Toggle
        size="small"
        label="Match case"
        on={query.caseSensitive}
        icon={<CaseSensitive size={16} />}
        onClick={() => change({ ...query, caseSensitive: !query.caseSensitive })}
      />
    </div>
  );
}

const CHIPS: readonly [LogLevel, string][] = [
  ["ERROR", "Errors"],
  ["WARN", "Warnings"],
  ["INFO", "Info"],
  ["DEBUG", "Debug"],
];

interface LevelChipsProps {
  counts: LogSnapshot["counts"];
  levels: ReadonlySet<LogLevel>;
  onLevels: (levels: ReadonlySet<LogLevel>) => void;
}

/** One chip a level: a click hides or shows it, a double click shows it alone. */
function LevelChips({ counts, levels, onLevels }: LevelChipsProps) {
  const toggle = (level: LogLevel) => {
    const next = new Set(levels);
    if (!next.delete(level)) next.add(level);
    onLevels(next);
  };
  return (
    <fieldset className={css.chips}>
      <legend className="pv-sr-only">Levels shown</legend>
      {CHIPS.map(([level, name]) => (
        <button
          key={level}
          type="button"
          aria-pressed={levels.has(level)}
          title={`${name}: click to show or hide, double click to show alone`}
          className={classes(css.chip, css[`level-${level}`], counts[level] === 0 && css.none)}
          onClick={() => toggle(level)}
          onDoubleClick={() => onLevels(new Set([level]))}
        >
          <span className={css.chipName}>{name}</span>
          <span className={css.chipLetter} aria-hidden="true">
            {level[0]}
          </span>{" "}
          {compact(counts[level])}
        </button>
      ))}
    </fieldset>
  );
}

const compact = (count: number) => (count < 10_000 ? String(count) : `${Math.floor(count / 1000)}k`);
