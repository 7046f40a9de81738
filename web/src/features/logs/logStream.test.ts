import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { LogStream, type StreamState } from "./logStream";

/** A connection that the test feeds by hand. */
class Connection {
  private sink!: ReadableStreamDefaultController<Uint8Array>;
  readonly response: Response;

  constructor() {
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        this.sink = controller;
      },
    });
    this.response = new Response(body, { headers: { "Content-Type": "text/event-stream" } });
  }

  send(text: string): void {
    this.sink.enqueue(new TextEncoder().encode(text));
  }
  line(id: number): void {
    const data = { id, timestamp: "", level: "INFO", message: `line ${id}`, source: "app", stream: "stdout" };
    this.send(`id: ${id}\ndata: ${JSON.stringify(data)}\n\n`);
  }
  drop(): void {
    this.sink.error(new Error("connection reset"));
  }
  close(): void {
    this.sink.close();
  }
}

function setup(...answers: (Connection | number)[]) {
  const lines: number[] = [];
  const states: StreamState[] = [];
  const gaps: unknown[] = [];
  const opened: number[] = [];
  const status = vi.fn();
  const stream = new LogStream(
    async (lastId, signal) => {
      opened.push(lastId);
      const answer = answers.shift();
      if (answer === undefined) return new Promise(() => {});
      if (typeof answer === "number") return new Response(null, { status: answer });
      signal.addEventListener("abort", () => answer.drop());
      return answer.response;
    },
    {
      line: (line) => lines.push(line.id),
      gap: (gap) => gaps.push(gap),
      status,
      state: (state) => states.push(state),
    },
    0,
    () => 1,
  );
  const over = vi.fn();
  const running = stream.run().then(over);
  const last = () => states[states.length - 1];
  return { stream, lines, states, gaps, opened, status, over, running, last };
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const settle = () => vi.advanceTimersByTimeAsync(0);

describe("the log stream", () => {
  test("hands lines on, whatever way the network cuts them", async () => {
    const connection = new Connection();
    const { lines, last } = setup(connection);
    connection.line(1);
    connection.send("id: 2\nda");
    await settle();
    connection.send('ta: {"id":2,"message":"é"}\n\n');
    await settle();
    expect(lines).toEqual([1, 2]);
    expect(last()).toEqual({ name: "live" });
  });

  test("resumes after the last line when the connection breaks", async () => {
    const [first, second] = [new Connection(), new Connection()];
    const { lines, opened, last } = setup(first, second);
    first.line(1);
    first.line(2);
    await settle();
    first.drop();
    await settle();
    expect(last()).toMatchObject({ name: "retrying" });
    await vi.advanceTimersByTimeAsync(500);
    second.line(3);
    await settle();
    expect(lines).toEqual([1, 2, 3]);
    expect(opened).toEqual([0, 2]);
  });

  test("waits longer with every failure, and starts anew after a connection that lived", async () => {
    const good = new Connection();
    const { states, opened } = setup(503, 503, 503, good, 503);
    await vi.advanceTimersByTimeAsync(500 + 1_000 + 2_000);
    expect(opened).toHaveLength(4);
    good.line(1);
    await vi.advanceTimersByTimeAsync(11_000);
    const before = Date.now();
    good.drop();
    await settle();
    expect(states[states.length - 1]).toEqual({ name: "retrying", at: before + 500 });
  });

  test("a connection that is silent for too long is given up", async () => {
    const silent = new Connection();
    const { opened } = setup(silent);
    silent.line(1);
    await vi.advanceTimersByTimeAsync(46_000);
    expect(opened).toEqual([0, 1]);
  });

  test("the server's comments keep a silent connection", async () => {
    const quiet = new Connection();
    const { opened } = setup(quiet);
    for (let passed = 0; passed < 120_000; passed += 15_000) {
      await vi.advanceTimersByTimeAsync(15_000);
      quiet.send(":\n\n");
    }
    expect(opened).toEqual([0]);
  });

  test.each([
    [204, { name: "ended", reason: null }],
    [404, { name: "idle" }],
    [401, { name: "lost" }],
    [403, { name: "lost" }],
  ])("stops for good at %i", async (status, state) => {
    const { over, last, opened } = setup(status);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(over).toHaveBeenCalled();
    expect(last()).toMatchObject(state);
    expect(opened).toHaveLength(1);
  });

  test("stops at the end event, and says why", async () => {
    const connection = new Connection();
    const { over, last, status, opened } = setup(connection);
    connection.line(1);
    connection.send(
      'event: status\ndata: {"status":"stopped"}\n\nevent: end\ndata: {"reason":"expired"}\n\n',
    );
    await vi.advanceTimersByTimeAsync(60_000);
    expect(last()).toEqual({ name: "ended", reason: "expired" });
    expect(over).toHaveBeenCalled();
    expect(status).toHaveBeenCalledTimes(2);
    expect(opened).toHaveLength(1);
  });

  test("a stream that closes without an end is resumed", async () => {
    const [first, second] = [new Connection(), new Connection()];
    const { opened } = setup(first, second);
    first.line(7);
    await settle();
    first.close();
    await vi.advanceTimersByTimeAsync(500);
    expect(opened).toEqual([0, 7]);
  });

  test("tells of gaps, and survives what is no JSON", async () => {
    const connection = new Connection();
    const { gaps, lines } = setup(connection);
    connection.send('data: not json\n\nevent: gap\ndata: {"from":1,"to":9}\n\n');
    connection.line(10);
    await settle();
    expect(gaps).toEqual([{ from: 1, to: 9 }]);
    expect(lines).toEqual([10]);
  });

  test("retries at once when asked, and never after it was stopped", async () => {
    const { stream, opened, over } = setup(503, 503);
    await settle();
    stream.retryNow();
    await settle();
    expect(opened).toHaveLength(2);
    stream.stop();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(opened).toHaveLength(2);
    expect(over).toHaveBeenCalled();
  });
});
