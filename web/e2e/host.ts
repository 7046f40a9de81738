import { existsSync, readFileSync } from "node:fs";
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, resolve } from "node:path";
import { pipeline } from "node:stream";

const DIST = resolve(import.meta.dirname, "../../examples/embed/dist");
const TYPES: Record<string, string> = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css" };

/**
 * A host application as it is deployed: its built files, and `/api` passed on to previewd. With a token it signs in
 * for whoever comes.
 */
export async function startHost(
  previewd: string,
  token?: string,
): Promise<{ url: string; close: () => void }> {
  const server: Server = createServer((incoming, answer) => {
    const path = new URL(incoming.url ?? "/", "http://host").pathname;
    if (token) incoming.headers.authorization = `Bearer ${token}`;
    if (path.startsWith("/api/")) return passOn(previewd, incoming, answer);
    const name = path === "/" ? "index.html" : path;
    if (!existsSync(join(DIST, name))) return answer.writeHead(404).end();
    answer.setHeader("Content-Type", TYPES[extname(name)] ?? "application/octet-stream");
    answer.end(readFileSync(join(DIST, name)));
  });
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  const { port } = server.address() as AddressInfo;
  const close = () => {
    server.closeAllConnections();
    server.close();
  };
  return { url: `http://127.0.0.1:${port}`, close };
}

function passOn(previewd: string, incoming: IncomingMessage, answer: ServerResponse): void {
  const { method, headers } = incoming;
  const outgoing = request(new URL(incoming.url ?? "/", previewd), { method, headers }, (response) => {
    answer.writeHead(response.statusCode ?? 502, response.headers);
    // A stream that breaks off does so for the browser, too.
    pipeline(response, answer, () => {});
  });
  outgoing.on("error", () => answer.destroy());
  answer.on("close", () => outgoing.destroy());
  incoming.pipe(outgoing);
}
