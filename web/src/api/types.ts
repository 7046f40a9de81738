import type { components } from "./schema";

type Schemas = components["schemas"];

export type Project = Schemas["Project"];
export type Generation = Schemas["Generation"];
export type FileContent = Schemas["FileContent"];
export type FileEntry = Schemas["FileEntry"];
export type Upload = Schemas["Upload"];
export type PatchResult = Schemas["PatchResult"];
export type PreviewSummary = Schemas["PreviewSummary"];
export type LaunchRequest = Schemas["LaunchRequest"];
export type Launched = Schemas["Launched"];
export type Failure = Schemas["Failure"];
export type PreviewStatus = Schemas["PreviewStatus"];
export type Endpoint = Schemas["Endpoint"];
export type Endpoints = Schemas["Endpoints"];
export type ProxyRequest = Schemas["ProxyRequest"];
export type ProxyResponse = Schemas["ProxyResponse"];
export type PreviewConfig = Schemas["PreviewConfig"];

/** The preview that was here last, told by the 404 of the status call. */
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

/** One line of a preview's log. `id` counts up from 1 within a preview. */
export interface LogLine {
  id: number;
  timestamp: string;
  level: LogLevel;
  message: string;
  source: string;
  stream: string;
  /** Of a request's own line: what `POST /preview/request` answered as `requestId`. */
  requestId?: string;
}

export type LogLevel = "DEBUG" | "INFO" | "WARN" | "ERROR";
