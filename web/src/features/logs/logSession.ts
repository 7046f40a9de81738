import type { Api } from "../../api/client";
import { LogStore } from "./logStore";
import { LogStream } from "./logStream";

/** How long a log nobody looks at stays connected: a page that is left for another is often come back to. */
const LINGER_MS = 2_000;

/** The log of a generation's newest preview: one store and one stream, shared by all who look. */
export class LogSession {
  readonly store = new LogStore();
  private stream: LogStream | null = null;
  private previewId: string | null = null;
  private readonly statusListeners = new Set<() => void>();
  private viewers = 0;
  private lingering: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly api: Api,
    private readonly generationId: string,
  ) {}

  /** Keeps the stream open until the function that this answers is called, by all who called this. */
  attach(): () => void {
    clearTimeout(this.lingering);
    this.viewers += 1;
    if (this.stream === null && this.previewId !== null) this.connect();
    return () => {
      this.viewers -= 1;
      if (this.viewers === 0) this.lingering = setTimeout(() => this.disconnect(), LINGER_MS);
    };
  }

  /** Follows this preview; another id than before starts a new log, the same id changes nothing. */
  follow(previewId: string | null): void {
    if (previewId === null || previewId === this.previewId) return;
    if (this.previewId !== null) this.store.clear();
    this.previewId = previewId;
    this.connect();
  }

  /** Ends the wait for the next attempt, or begins again after the stream was lost. */
  retry(): void {
    const state = this.store.getSnapshot().stream.name;
    if (state === "retrying") this.stream?.retryNow();
    else if (state === "lost") this.connect();
  }

  /** Calls back when the preview changed its state. */
  onStatus(listener: () => void): () => void {
    this.statusListeners.add(listener);
    return () => this.statusListeners.delete(listener);
  }

  private disconnect(): void {
    this.stream?.stop();
    this.stream = null;
  }

  private connect(): void {
    this.stream?.stop();
    const path = `/api/generations/${encodeURIComponent(this.generationId)}/preview/logs/stream`;
    const stream = new LogStream(
      (lastId, signal) =>
        this.api.fetch(path, {
          signal,
          headers: {
            Accept: "text/event-stream",
            ...(lastId > 0 ? { "Last-Event-ID": String(lastId) } : {}),
          },
        }),
      {
        line: (line) => this.current(stream) && this.store.push(line),
        gap: (gap) => this.current(stream) && this.store.push(gap),
        state: (state) => this.current(stream) && this.store.setStream(state),
        status: () => {
          for (const listener of this.statusListeners) listener();
        },
      },
      this.store.newestId(),
    );
    this.stream = stream;
    void stream.run();
  }

  /** A stream that was replaced may still hand over a last chunk: it is not ours any more. */
  private current(stream: LogStream): boolean {
    return this.stream === stream;
  }
}
