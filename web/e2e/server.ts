import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const root = resolve(import.meta.dirname, "../..");
const built = ["release", "debug"].map((profile) => join(root, "target", profile, "previewd"));
const binary = process.env.PREVIEWD_BIN ?? built.find((path) => existsSync(path)) ?? "previewd";

/** The project that the tests upload, and the sample that ships with previewd. */
export const SAMPLE = join(root, "examples/bookshop");

/** Packages are expensive and made to be shared: all servers of all runs use the same, those of the tests in Rust too. */
const SHARED = join(root, "target/tmp/it");

/** A real `previewd serve` with a data directory of its own. */
export class Server {
  private child: ChildProcess | null = null;

  private constructor(
    private readonly dataDir: string,
    private readonly port: number,
    private options: readonly string[],
  ) {}

  /** Starts one on a free port. `options` are flags of `serve`. */
  static async start(...options: string[]): Promise<Server> {
    const dataDir = mkdtempSync(join(tmpdir(), "previewd-e2e-"));
    for (const name of ["environments", "tools"]) {
      mkdirSync(join(SHARED, name), { recursive: true });
      symlinkSync(join(SHARED, name), join(dataDir, name));
    }
    const server = new Server(dataDir, await freePort(), options);
    await server.up();
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  token(user = "ada"): string {
    const command = ["token", "--user", user, "--data-dir", this.dataDir];
    return execFileSync(binary, command, { encoding: "utf8" }).trim();
  }

  async up(): Promise<void> {
    const ui = process.env.PREVIEWD_UI_DIR ? ["--ui-dir", process.env.PREVIEWD_UI_DIR] : [];
    const listen = ["--data-dir", this.dataDir, "--listen", `127.0.0.1:${this.port}`];
    const child = spawn(binary, ["serve", ...listen, ...ui, ...this.options], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.child = child;
    let said = "";
    child.stderr?.on("data", (data) => {
      said += data;
    });
    await new Promise<void>((ready, failed) => {
      child.stdout?.on("data", (data) => String(data).includes("listening on") && ready());
      child.once("exit", (code) => failed(new Error(`previewd ended with ${code}: ${said}`)));
    });
  }

  /** Ends it, as a crash would if nothing else is said: previews go on. */
  async kill(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    const child = this.child;
    this.child = null;
    if (child === null || child.exitCode !== null) return;
    const gone = new Promise((done) => child.once("exit", done));
    child.kill(signal);
    await gone;
  }

  /** Ends it as a crash would, and starts it with other options. Answers those that it had. */
  async restart(options: readonly string[]): Promise<readonly string[]> {
    const before = this.options;
    await this.kill();
    this.options = options;
    await this.up();
    return before;
  }

  /** Ends it, the previews of these generations first, and removes what it kept. */
  async remove(token: string): Promise<void> {
    if (this.child === null) await this.up();
    for (const { generationId } of (await this.call(token, "GET", "/api/generations")).generations) {
      await this.call(token, "DELETE", `/api/generations/${generationId}`);
    }
    await this.kill("SIGTERM");
    // What compiles its packages in the background may write on for a moment.
    rmSync(this.dataDir, { recursive: true, force: true, maxRetries: 40 });
  }

  /** Uploads files as a generation of a new project; answers its id. */
  async upload(token: string, name: string, files: Record<string, string>): Promise<string> {
    const { projectId } = await this.call(token, "POST", "/api/projects", { name });
    const body = { name, files };
    return (await this.call(token, "POST", `/api/projects/${projectId}/generations`, body)).generationId;
  }

  // biome-ignore lint/suspicious/noExplicitAny: the tests read the few fields that they need.
  async call(token: string, method: string, path: string, body?: unknown): Promise<any> {
    const response = await fetch(this.url + path, {
      method,
      headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await response.text();
    return text === "" ? null : JSON.parse(text);
  }
}

function freePort(): Promise<number> {
  return new Promise((resolvePort, reject) => {
    const probe = createServer();
    probe.once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address();
      probe.close(() => resolvePort(typeof address === "object" && address ? address.port : 0));
    });
  });
}
