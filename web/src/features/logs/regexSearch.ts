import type { LogItem } from "./logStore";
import { type SearchQuery, searchable } from "./search";
import type { RegexJob, RegexMessage } from "./search.worker";
import type { Matches } from "./useMatches";

/** After the last key, and between two looks at a log that goes on. */
const PAUSE_MS = 200;
const LIMIT_MS = 1_500;

/**
 * Looks for one pattern in rows that grow, in a worker: it is given up on if the pattern takes too long. One search ends
 * before the next begins, or a log that never rests would never be searched.
 */
export class RegexSearch {
  private rows: readonly LogItem[] = [];
  private state: "resting" | "searching" | "outdated" | "over" = "resting";
  private worker: Worker | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly query: SearchQuery,
    private readonly done: (matches: Matches) => void,
  ) {}

  /** Looks at these rows, at once or after the search that is under way. */
  look(rows: readonly LogItem[]): void {
    this.rows = rows;
    if (this.state === "resting") this.schedule();
    else if (this.state === "searching") this.state = "outdated";
  }

  stop(): void {
    this.state = "over";
    this.release();
  }

  private schedule(): void {
    this.state = "searching";
    this.timer = setTimeout(() => this.search(), PAUSE_MS);
  }

  private search(): void {
    this.state = "searching";
    const worker = new Worker(new URL("./search.worker.ts", import.meta.url), { type: "module" });
    this.worker = worker;
    worker.onmessage = ({ data }: MessageEvent<RegexMessage>) => {
      // To be loaded may take a while, and is not the pattern's fault.
      if (data === "ready") this.timer = setTimeout(() => this.giveUp("Takes too long"), LIMIT_MS);
      else this.found(data);
    };
    worker.onerror = () => this.giveUp("Not possible here");
    const { text: pattern, caseSensitive } = this.query;
    worker.postMessage({ pattern, caseSensitive, lines: this.rows.map(searchable) } satisfies RegexJob);
  }

  private found(found: number[]): void {
    this.release();
    const outdated = this.state === "outdated";
    this.state = "resting";
    this.done({ found, problem: null });
    if (outdated) this.schedule();
  }

  /** More lines would not make it better. */
  private giveUp(problem: string): void {
    this.stop();
    this.done({ found: [], problem });
  }

  private release(): void {
    clearTimeout(this.timer);
    this.worker?.terminate();
    this.worker = null;
  }
}
