/** The parts of the Preview Tab for host applications. Import `@previewd/react/styles.css` once. */
import "../shared/styles/tokens.css";

export type { Connection } from "../api/client";
export { PreviewdProvider, type PreviewdProviderProps } from "../api/context";
export { ApiError } from "../api/errors";
export type {
  Failure,
  LastPreview,
  LaunchRequest,
  LogLevel,
  LogLine as PreviewLog,
  PreviewState,
  PreviewStatus,
} from "../api/types";
export type { StreamState } from "../features/logs/logStream";
export { PreviewTab, type PreviewTabProps } from "../features/preview/PreviewTab";
export type { Theme } from "../shared/ui/theme";
export { PreviewTerminal, type PreviewTerminalProps } from "./PreviewTerminal";
export { type Preview, usePreview } from "./usePreview";
export { type PreviewLogs, usePreviewLogs } from "./usePreviewLogs";
