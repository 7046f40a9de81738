import type { components } from "./schema";

type Schemas = components["schemas"];

export type Project = Schemas["ProjectBody"];
export type Generation = Schemas["GenerationBody"];
export type FileContent = Schemas["FileContent"];
export type FileEntry = Schemas["FileBody"];
export type Upload = Schemas["Upload"];
export type PatchResult = Schemas["Patched"];
export type LaunchRequest = Schemas["LaunchBody"];
export type Launched = Schemas["Launched"];
export type Failure = Schemas["LaunchFailure"];
export type PreviewStatus = Schemas["StatusBody"];
export type PreviewConfig = Schemas["PreviewConfig"];
/** One line of a preview's log. `id` counts up from 1 within a preview. */
export type LogLine = Schemas["LogLine"];
export type LogLevel = Schemas["LogLevel"];

/** A request through the server, with names and values as the description leaves them open. */
export type ProxyRequest = Omit<Schemas["Envelope"], "query" | "headers"> & {
  query?: Record<string, string | string[]>;
  headers?: Record<string, string>;
};
export type ProxyResponse = Omit<Schemas["Answer"], "headers"> & {
  headers: Record<string, string | string[]>;
};

/** A request of the history: from here, from the preview's own address, or sent again. */
export type KeptRequest = Schemas["KeptRequest"];
/** The same with its content, but for what is secret. */
export type KeptExchange = Schemas["KeptExchange"];
export type KeptBody = Schemas["KeptBody"];

/** What a value may be: JSON Schema without references, as the server writes it into a list of endpoints. */
export interface ValueSchema {
  type?: string;
  format?: string;
  description?: string;
  enum?: unknown[];
  const?: unknown;
  default?: unknown;
  example?: unknown;
  examples?: unknown;
  required?: string[];
  properties?: Record<string, ValueSchema>;
  items?: ValueSchema;
}

export type Parameter = Omit<Schemas["Parameter"], "schema"> & { schema: ValueSchema };
export type RequestBody = Omit<Schemas["RequestBody"], "schema"> & { schema: ValueSchema };
export type Endpoint = Omit<Schemas["Endpoint"], "parameters" | "body"> & {
  parameters?: Parameter[];
  body?: RequestBody;
};
export type EndpointWarning = Schemas["EndpointWarning"];

/** The preview that was here last, told in the details of the 404 of the status call. */
export interface LastPreview {
  previewInstanceId: string;
  status: string;
  stoppedAt?: string | null;
  stopReason?: string | null;
}

/**
 * What there is to say about a generation's preview:
 * `idle` was never launched, `over` was stopped or has ended by itself.
 */
export type PreviewState =
  | { phase: "idle" }
  | { phase: "launching" | "running" | "failed"; preview: PreviewStatus }
  | { phase: "over"; last: LastPreview };
