import type { LaunchRequest, PreviewState } from "../api/types";
import { usePreview as useControls } from "../features/preview/usePreview";

/** A generation's preview, for a host's own buttons. */
export interface Preview {
  /** `null` until the server has answered once. */
  state: PreviewState | null;
  /** What the last call was refused with, or why the state cannot be read. */
  error: Error | null;
  /** Whether a launch, stop or restart was asked for and is not answered yet. */
  busy: boolean;
  /** Answers as soon as the launch has begun; `state` tells how it goes on. */
  launch: (request?: LaunchRequest) => Promise<void>;
  stop: () => Promise<void>;
  restart: () => Promise<void>;
}

/** Follows a generation's preview. Needs `<PreviewdProvider>` above it. */
export function usePreview(generationId: string): Preview {
  const { state, error, launch, stop, restart } = useControls(generationId);
  return {
    state,
    error: launch.error ?? stop.error ?? restart.error ?? error,
    busy: launch.isPending || stop.isPending || restart.isPending,
    launch: async (request = {}) => {
      await launch.mutateAsync(request);
    },
    stop: async () => {
      await stop.mutateAsync();
    },
    restart: async () => {
      await restart.mutateAsync();
    },
  };
}
