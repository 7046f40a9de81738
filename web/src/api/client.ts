import createClient, { type Client } from "openapi-fetch";
import { ApiError, errorFrom, isCode } from "./errors";
import type { paths } from "./schema";
import type {
  Endpoint,
  FileContent,
  KeptExchange,
  LastPreview,
  LaunchRequest,
  PreviewState,
  ProxyRequest,
  ProxyResponse,
  Upload,
} from "./types";

/** How to reach a previewd server. */
export interface Connection {
  /** Origin (and prefix) of the server; empty for the page's own. */
  baseUrl: string;
  /** Bearer token for the API. Called for every request; `refresh` after a 401. */
  getToken: (options?: { refresh?: boolean }) => string | null | Promise<string | null>;
}

export type Api = ReturnType<typeof createApi>;

/** The calls of the contract, typed, each throwing [`ApiError`] for an answer that is not a success. */
export function createApi(connection: Connection) {
  const send = authorizedFetch(connection);
  const root = absolute(connection.baseUrl);
  const client: Client<paths> = createClient<paths>({ baseUrl: root, fetch: (r) => send(r) });
  const at = (id: string) => ({ params: { path: { id } } });

  return {
    /** The raw fetch with the token, for streams and bytes. `path` starts with `/`. */
    fetch: (path: string, init?: RequestInit) => send(new Request(root + path, init)),

    projects: async () => (await taken(client.GET("/api/projects"))).projects,
    createProject: (name: string) => taken(client.POST("/api/projects", { body: { name } })),

    generations: async () => (await taken(client.GET("/api/generations"))).generations,
    generation: (id: string) => taken(client.GET("/api/generations/{id}", at(id))),
    deleteGeneration: (id: string) => taken(client.DELETE("/api/generations/{id}", at(id))),
    uploadFiles: (projectId: string, body: Upload) =>
      taken(client.POST("/api/projects/{projectId}/generations", { params: { path: { projectId } }, body })),
    uploadZip: (projectId: string, name: string, archive: Blob) =>
      taken(
        client.POST("/api/projects/{projectId}/generations", {
          params: { path: { projectId }, query: { name } },
          headers: { "Content-Type": "application/zip" },
          // The description has bytes as numbers; what is sent is the file itself.
          body: [],
          bodySerializer: () => archive,
        }),
      ),

    files: async (id: string) => (await taken(client.GET("/api/generations/{id}/files", at(id)))).files,
    file: async (id: string, path: string) => {
      const encoded = path.split("/").map(encodeURIComponent).join("/");
      const url = `${root}/api/generations/${encodeURIComponent(id)}/files/${encoded}`;
      const response = await send(new Request(url));
      if (!response.ok) throw errorFrom(response.status, await json(response));
      return new Uint8Array(await response.arrayBuffer());
    },
    patchFiles: (id: string, files: Record<string, FileContent | null>) =>
      taken(client.PATCH("/api/generations/{id}/files", { ...at(id), body: { files } })),

    previews: async () => (await taken(client.GET("/api/previews"))).previews,
    launch: (id: string, body: LaunchRequest) =>
      taken(
        client.POST("/api/generations/{id}/preview/launch", {
          params: { path: { id }, query: { wait: false } },
          body,
        }),
      ),
    status: (id: string) => status(client, id),
    stop: (id: string) => taken(client.DELETE("/api/generations/{id}/preview", at(id))),
    endpoints: async (id: string) => {
      const { endpoints, warnings } = await taken(client.GET("/api/generations/{id}/endpoints", at(id)));
      return { endpoints: endpoints as Endpoint[], warnings };
    },
    config: (id: string) => taken(client.GET("/api/generations/{id}/preview/config", at(id))),
    request: async (id: string, previewToken: string, body: ProxyRequest, signal?: AbortSignal) =>
      (await taken(
        client.POST("/api/generations/{id}/preview/request", {
          params: { path: { id }, header: { "X-Preview-Token": previewToken } },
          body,
          signal,
        }),
      )) as ProxyResponse,

    /** Newest first; `q` looks in method, path and request id. */
    requests: async (id: string, q?: string) => {
      const query = { limit: 100, ...(q === undefined ? {} : { q }) };
      const answer = client.GET("/api/generations/{id}/preview/requests", {
        params: { path: { id }, query },
      });
      return (await taken(answer)).requests;
    },
    keptRequest: async (id: string, requestId: number) =>
      (await taken(
        client.GET("/api/generations/{id}/preview/requests/{requestId}", {
          params: { path: { id, requestId } },
        }),
      )) as KeptExchange,
    replay: async (id: string, requestId: number, session: string, signal?: AbortSignal) =>
      (await taken(
        client.POST("/api/generations/{id}/preview/requests/{requestId}/replay", {
          params: { path: { id, requestId } },
          body: { session },
          signal,
        }),
      )) as ProxyResponse,
    har: async (id: string) => {
      const response = await send(
        new Request(`${root}/api/generations/${encodeURIComponent(id)}/preview/requests.har`),
      );
      if (!response.ok) throw errorFrom(response.status, await json(response));
      return response.blob();
    },
  };
}

async function status(client: Client<paths>, id: string): Promise<PreviewState> {
  try {
    const preview = await taken(
      client.GET("/api/generations/{id}/preview/status", { params: { path: { id } } }),
    );
    // `stopped` occurs in lists only: the status of what is over is a 404.
    return { phase: preview.status === "stopped" ? "failed" : preview.status, preview };
  } catch (error) {
    if (!isCode(error, "no_active_preview")) throw error;
    const last = error.details.lastPreview as LastPreview | undefined;
    return last ? { phase: "over", last } : { phase: "idle" };
  }
}

/** Adds the bearer token, and once a fresh one where the server refuses the first. */
function authorizedFetch({ getToken }: Connection) {
  return async (request: Request): Promise<Response> => {
    const retry = request.clone();
    const first = await attempt(request, await getToken());
    if (first.status !== 401) return first;
    const fresh = await getToken({ refresh: true });
    return fresh === null ? first : attempt(retry, fresh);
  };
}

async function attempt(request: Request, token: string | null): Promise<Response> {
  if (token !== null) request.headers.set("Authorization", `Bearer ${token}`);
  try {
    return await fetch(request);
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiError(0, "network", "The server cannot be reached. Check that previewd is running.");
  }
}

interface FetchResult<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

async function taken<T>(pending: Promise<FetchResult<T>>): Promise<T> {
  const { data, error, response } = await pending;
  if (!response.ok) throw errorFrom(response.status, error);
  return data as T;
}

async function json(response: Response): Promise<unknown> {
  return response.json().catch(() => null);
}

/** The origin and prefix of a server; a host that renders without a page has no origin to add. */
function absolute(baseUrl: string): string {
  const page = globalThis.location?.href;
  const url = page === undefined ? baseUrl : new URL(baseUrl || "/", page).toString();
  return url.replace(/\/$/, "");
}
