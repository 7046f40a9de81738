import { createParser, type EventSourceMessage } from "eventsource-parser";
import { isRecord, messageOf } from "../../api/errors";
import type { LogLine } from "../../api/types";
import { Backoff } from "./backoff";

/** The server sends a comment every 15 s: three missed and the connection is dead, whatever TCP says. */
const SILENCE_MS = 45_000;

/** Lines that the server no longer has: `from` to `to`, both included. */
export interface LogGap {
  from: number;
  to: number;
}

export type StreamState =
  | { name: "idle" }
  | { name: "connecting" }
  | { name: "live" }
  | { name: "retrying"; at: number }
  | { name: "ended"; reason: string | null }
  | { name: "lost"; message: string };

/** Who gets what the stream brings. */
interface StreamSink {
  line(line: LogLine): void;
  gap(gap: LogGap): void;
  /** The preview changed its state. */
  status(data: unknown): void;
  state(state: StreamState): void;
}

/** Opens the stream, resuming after `lastId` (0: from the start). */
type OpenStream = (lastId: number, signal: AbortSignal) => Promise<Response>;

type Outcome = { kind: "retry"; livedMs: number } | { kind: "stop"; state: StreamState };

/** Follows one preview's log until it ends, over as many connections as that takes. */
export class LogStream {
  private readonly stopping = new AbortController();
  private readonly backoff: Backoff;
  private wake: (() => void) | null = null;

  /** Begins after the line `lastId`; 0 for the start. */
  constructor(
    private readonly open: OpenStream,
    private readonly sink: StreamSink,
    private lastId = 0,
    random: () => number = Math.random,
  ) {
    this.backoff = new Backoff(random);
  }

  /** Resolves when the stream is over: stopped, ended, or refused in a way that retrying cannot mend. */
  async run(): Promise<void> {
    while (!this.stopping.signal.aborted) {
      this.sink.state({ name: "connecting" });
      const outcome = await this.connection();
      if (this.stopping.signal.aborted) return;
      if (outcome.kind === "stop") return this.sink.state(outcome.state);
      const wait = this.backoff.next(outcome.livedMs);
      this.sink.state({ name: "retrying", at: Date.now() + wait });
      await this.pause(wait);
    }
  }

  stop(): void {
    this.stopping.abort();
    this.wake?.();
  }

  /** Ends a wait between attempts now: the person asked, or the network came back. */
  retryNow(): void {
    this.wake?.();
  }

  private async connection(): Promise<Outcome> {
    const attempt = new AbortController();
    const abort = () => attempt.abort();
    this.stopping.signal.addEventListener("abort", abort);
    let liveSince = 0;
    try {
      const response = await this.open(this.lastId, attempt.signal);
      const refusal = refused(response);
      if (refusal) return refusal;
      liveSince = Date.now();
      this.sink.state({ name: "live" });
      const end = await this.read(response, attempt);
      if (end) return { kind: "stop", state: end };
    } catch {
      // A broken connection: whatever broke it, the answer is to come back.
    } finally {
      this.stopping.signal.removeEventListener("abort", abort);
      attempt.abort();
    }
    return { kind: "retry", livedMs: liveSince === 0 ? 0 : Date.now() - liveSince };
  }

  private async read(response: Response, attempt: AbortController): Promise<StreamState | null> {
    if (!response.body) return null;
    let end: StreamState | null = null;
    const parser = createParser({
      onEvent: (event) => {
        end ??= this.take(event);
      },
    });
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let watchdog: ReturnType<typeof setTimeout> | undefined;
    try {
      while (end === null) {
        clearTimeout(watchdog);
        watchdog = setTimeout(() => attempt.abort(), SILENCE_MS);
        const { done, value } = await reader.read();
        if (done) break;
        parser.feed(value);
      }
    } finally {
      clearTimeout(watchdog);
    }
    return end;
  }

  /** Hands one event on; answers the final state where it was the end. */
  private take(event: EventSourceMessage): StreamState | null {
    const data = parse(event.data);
    if (!isRecord(data)) return null;
    switch (event.event) {
      case undefined:
      case "message":
        this.line(data as unknown as LogLine);
        return null;
      case "gap":
        this.sink.gap(data as unknown as LogGap);
        return null;
      case "status":
        this.sink.status(data);
        return null;
      case "end":
        this.sink.status(data);
        return { name: "ended", reason: typeof data.reason === "string" ? data.reason : null };
      default:
        return null;
    }
  }

  private line(line: LogLine): void {
    if (typeof line.id !== "number" || typeof line.message !== "string") return;
    this.lastId = line.id;
    this.sink.line(line);
  }

  private pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(done, ms);
      const self = this;
      function done() {
        clearTimeout(timer);
        self.wake = null;
        resolve();
      }
      this.wake = done;
    });
  }
}

/** What an answer without a stream means: over (204), nothing there (404), not ours (401, 403), or try again. */
function refused(response: Response): Outcome | null {
  const stop = (state: StreamState): Outcome => ({ kind: "stop", state });
  switch (response.status) {
    case 200:
      return null;
    case 204:
      return stop({ name: "ended", reason: null });
    case 404:
      return stop({ name: "idle" });
    case 401:
      return stop({ name: "lost", message: "Your sign-in has expired. Sign in again to follow the log." });
    case 403:
      return stop({ name: "lost", message: "This log belongs to another user." });
    default:
      return { kind: "retry", livedMs: 0 };
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    return messageOf(error);
  }
}
