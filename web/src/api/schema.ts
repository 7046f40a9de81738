/**
 * The server's API as openapi-typescript writes it. Kept by hand until the server's own
 * `/openapi.json` is committed; then this file is generated and nothing else changes.
 */
type Json<T> = { content: { "application/json": T } };
type Answers<T, Code extends number = 200> = { [K in Code]: Json<T> } & {
  default: Json<components["schemas"]["ErrorBody"]>;
};
type Path<T> = { parameters: { path: T } };
type Generation = { generationId: string };

export interface paths {
  "/api/projects": {
    get: { responses: Answers<{ projects: components["schemas"]["Project"][] }> };
    post: { requestBody: Json<{ name: string }>; responses: Answers<components["schemas"]["Project"], 201> };
  };
  "/api/projects/{projectId}/generations": {
    post: {
      parameters: { path: { projectId: string }; query?: { name?: string; entrypoint?: string } };
      requestBody: {
        content: { "application/json": components["schemas"]["Upload"]; "application/zip": string };
      };
      responses: Answers<components["schemas"]["Generation"], 201>;
    };
  };
  "/api/generations": {
    get: {
      parameters: { query?: { projectId?: string } };
      responses: Answers<{ generations: components["schemas"]["Generation"][] }>;
    };
  };
  "/api/generations/{generationId}": {
    get: Path<Generation> & { responses: Answers<components["schemas"]["Generation"]> };
    delete: Path<Generation> & { responses: { 204: { content?: never } } };
  };
  "/api/generations/{generationId}/files": {
    get: Path<Generation> & { responses: Answers<{ files: components["schemas"]["FileEntry"][] }> };
    patch: Path<Generation> & {
      requestBody: Json<{ files: Record<string, components["schemas"]["FileContent"] | null> }>;
      responses: Answers<components["schemas"]["PatchResult"]>;
    };
  };
  "/api/generations/{generationId}/files/{path}": {
    get: Path<Generation & { path: string }> & {
      responses: { 200: { content: { "application/octet-stream": string } } };
    };
  };
  "/api/previews": {
    get: { responses: Answers<{ previews: components["schemas"]["PreviewSummary"][] }> };
  };
  "/api/generations/{generationId}/preview/launch": {
    post: {
      parameters: { path: Generation; query?: { wait?: boolean } };
      requestBody: Json<components["schemas"]["LaunchRequest"]>;
      responses: Answers<components["schemas"]["Launched"], 200 | 202>;
    };
  };
  "/api/generations/{generationId}/preview/status": {
    get: Path<Generation> & { responses: Answers<components["schemas"]["PreviewStatus"]> };
  };
  "/api/generations/{generationId}/preview": {
    delete: Path<Generation> & {
      responses: Answers<{ status: "stopped"; message: string; stoppedAt: string }>;
    };
  };
  "/api/generations/{generationId}/endpoints": {
    get: Path<Generation> & { responses: Answers<components["schemas"]["Endpoints"]> };
  };
  "/api/generations/{generationId}/preview/request": {
    post: {
      parameters: { path: Generation; header?: { "X-Preview-Token"?: string } };
      requestBody: Json<components["schemas"]["ProxyRequest"]>;
      responses: Answers<components["schemas"]["ProxyResponse"]>;
    };
  };
  "/api/generations/{generationId}/preview/config": {
    get: Path<Generation> & { responses: Answers<components["schemas"]["PreviewConfig"]> };
  };
}

export interface components {
  schemas: {
    ErrorBody: {
      status: string;
      error: string;
      message: string;
      details?: Record<string, unknown>;
      statusCode?: number;
    };
    Project: { projectId: string; name: string; createdAt: string };
    Generation: {
      generationId: string;
      projectId: string;
      name: string;
      revision: number;
      entrypoint?: string | null;
      fileCount: number;
      totalBytes: number;
      createdAt: string;
    };
    FileContent: string | { base64: string };
    Upload: {
      name?: string;
      entrypoint?: string;
      files: Record<string, components["schemas"]["FileContent"]>;
    };
    FileEntry: { path: string; size: number; sha256: string };
    PatchResult: { revision: number; reloaded: boolean; details?: Partial<components["schemas"]["Failure"]> };
    PreviewSummary: {
      previewInstanceId: string;
      generationId: string;
      projectId?: string;
      status: string;
      baseUrl?: string | null;
      expiresAt?: string;
    };
    LaunchRequest: { env?: Record<string, string>; database?: "fresh" | "keep" };
    Launched: {
      status: "launched" | "launching";
      previewInstanceId: string;
      generationId: string;
      baseUrl: string;
      previewToken: string;
      expiresAt: string;
      healthCheckUrl: string;
      launchMs?: number;
      phases?: Record<string, number>;
    };
    Failure: {
      reason: string;
      message: string;
      exitCode?: number;
      signal?: string;
      logTail: string[];
      hint?: string;
    };
    PreviewStatus: {
      previewInstanceId: string;
      status: "launching" | "running" | "failed";
      baseUrl?: string | null;
      previewToken?: string | null;
      uptime: number;
      lastHealthCheck?: string | null;
      healthStatus: "unknown" | "healthy" | "unhealthy";
      createdAt: string;
      startedAt?: string | null;
      expiresAt: string;
      generatedEndpoints: { method: string; path: string; description: string }[];
      revision: number;
      memoryBytes?: number | null;
      errorMessage?: string | null;
      failure?: components["schemas"]["Failure"] | null;
    };
    Endpoint: {
      method: string;
      path: string;
      description: string;
      requestSchema?: {
        query?: Record<string, string>;
        path?: Record<string, string>;
        header?: Record<string, string>;
      };
      requestBody?: Record<string, string>;
      responseSchema?: Record<string, string>;
      tags: string[];
      operationId?: string | null;
      deprecated: boolean;
      secured: boolean;
      inSchema?: boolean;
    };
    Endpoints: {
      endpoints: components["schemas"]["Endpoint"][];
      source: "static" | "openapi";
      warnings: { file: string; line: number; message: string }[];
    };
    ProxyRequest: {
      method: string;
      path: string;
      query?: Record<string, string | string[]>;
      body?: unknown;
      headers?: Record<string, string>;
      bodyEncoding?: "json" | "text" | "base64" | "form";
    };
    ProxyResponse: {
      statusCode: number;
      data: unknown;
      headers: Record<string, string | string[]>;
      durationMs: number;
      dataEncoding: "json" | "text" | "base64";
      truncated: boolean;
      requestId: string;
    };
    PreviewConfig: {
      previewTimeout: number;
      maxInstances: number;
      sessionExpiry: number;
      autoStopInactiveAfter: number;
      environment: Record<string, string>;
      limitations: Record<string, unknown>;
      limits?: { memoryMb: number; tasks: number; openFiles: number; diskMb: number; cpu: number };
    };
  };
}
