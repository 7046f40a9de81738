import type { LogLevel, LogLine } from "../../api/types";
import type { LogGap, StreamState } from "./logStream";

/** Lines kept in the page; older ones are dropped from the head, and counted. */
const MAX_LINES = 100_000;
/** Trimming moves the whole array, so it is done for many lines at once. */
const SLACK = 2_000;

/** A line, or the place where lines are missing. */
export type LogItem = LogLine | LogGap;

export const isGap = (item: LogItem): item is LogGap => "to" in item;
/** Stable key and order of an item: the line's id, or just before the first line after a gap. */
export const keyOf = (item: LogItem): number => (isGap(item) ? item.to + 0.5 : item.id);

type LevelCounts = Record<LogLevel, number>;

/** What React sees: replaced, never changed, except for `items`, which only grows until it is replaced. */
export interface LogSnapshot {
  /** Changes with every snapshot. */
  version: number;
  items: readonly LogItem[];
  /** Lines among the items, and lines dropped from the head. */
  lines: number;
  dropped: number;
  counts: LevelCounts;
  stream: StreamState;
}

const NO_LINES: LevelCounts = { DEBUG: 0, INFO: 0, WARN: 0, ERROR: 0 };

/** One preview's log, outside React. Lines arrive one by one; listeners hear of them once a frame. */
export class LogStore {
  private items: LogItem[] = [];
  private counts: LevelCounts = { ...NO_LINES };
  private lines = 0;
  private dropped = 0;
  private newest = 0;
  private stream: StreamState = { name: "idle" };
  private snapshot: LogSnapshot;
  private scheduled = false;
  private readonly listeners = new Set<() => void>();

  constructor(
    private readonly limit = MAX_LINES,
    private readonly schedule: (flush: () => void) => void = secondFrame,
  ) {
    this.snapshot = this.take(0);
  }

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  getSnapshot = (): LogSnapshot => this.snapshot;

  push(item: LogItem): void {
    this.items.push(item);
    this.newest = isGap(item) ? item.to : item.id;
    if (!isGap(item)) {
      this.lines += 1;
      if (item.level in this.counts) this.counts[item.level] += 1;
    }
    if (this.items.length > this.limit + SLACK) this.trim();
    this.notify();
  }

  setStream(stream: StreamState): void {
    this.stream = stream;
    this.notify();
  }

  /** Id of the newest line, even of one that was cleared from the view; 0 before the first. */
  newestId(): number {
    return this.newest;
  }

  /** Forgets every line: another preview's log begins. */
  clear(): void {
    this.newest = 0;
    this.clearView();
  }

  /** Takes the lines out of the view; the log goes on after them. */
  clearView(): void {
    this.items = [];
    this.counts = { ...NO_LINES };
    this.lines = 0;
    this.dropped = 0;
    this.notify();
  }

  private trim(): void {
    const cut = this.items.length - this.limit;
    for (const item of this.items.slice(0, cut)) {
      if (isGap(item)) continue;
      this.lines -= 1;
      this.dropped += 1;
      if (item.level in this.counts) this.counts[item.level] -= 1;
    }
    this.items = this.items.slice(cut);
  }

  private notify(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    this.schedule(() => {
      this.scheduled = false;
      this.snapshot = this.take(this.snapshot.version + 1);
      for (const listener of this.listeners) listener();
    });
  }

  private take(version: number): LogSnapshot {
    const { items, lines, dropped, stream } = this;
    return { version, items, lines, dropped, stream, counts: { ...this.counts } };
  }
}

/**
 * Lines come to the screen with every second frame: showing a batch can take more than one, and the frames between are the reader's.
 * A hidden page gets no frames, but must not hold back its lines for ever.
 */
function secondFrame(flush: () => void): void {
  if (document.visibilityState === "hidden") setTimeout(flush, 250);
  else requestAnimationFrame(() => requestAnimationFrame(flush));
}
