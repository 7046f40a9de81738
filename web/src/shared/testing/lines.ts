import type { LogLine } from "../../api/types";

/** A line of a log, with what a test wants of it. */
export const logLine = (id: number, wanted: Partial<LogLine>): LogLine => ({
  id,
  level: "INFO",
  source: "app",
  message: `line ${id}`,
  timestamp: "2026-01-01T00:00:00.000Z",
  stream: "stdout",
  ...wanted,
});
