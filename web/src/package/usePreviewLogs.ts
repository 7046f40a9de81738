import { useMemo, useSyncExternalStore } from "react";
import type { LogLine } from "../api/types";
import { isGap } from "../features/logs/logStore";
import type { StreamState } from "../features/logs/logStream";
import { usePreview } from "../features/preview/usePreview";

export interface PreviewLogs {
  /** Oldest first; the newest 100,000 or so. */
  logs: readonly LogLine[];
  isConnected: boolean;
  /** Why it is not connected, if it is not. */
  stream: StreamState;
}

/** The log of a generation's newest preview, as it is written. Needs `<PreviewdProvider>` above it. */
export function usePreviewLogs(generationId: string): PreviewLogs {
  const { session } = usePreview(generationId);
  const snapshot = useSyncExternalStore(session.store.subscribe, session.store.getSnapshot);
  return useMemo(
    () => ({
      logs: snapshot.items.filter((item): item is LogLine => !isGap(item)),
      isConnected: snapshot.stream.name === "live",
      stream: snapshot.stream,
    }),
    [snapshot],
  );
}
