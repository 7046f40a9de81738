import { useMutation, useQuery } from "@tanstack/react-query";
import { useEffect } from "react";
import type { Api } from "../../api/client";
import { useApi, useLogSession, useQueries } from "../../api/context";
import { isCode } from "../../api/errors";
import type { Launched, LaunchRequest, PreviewState } from "../../api/types";

const statusKey = (generationId: string) => ["status", generationId] as const;

/** How often to ask while it changes, and while it does not (the stream tells of changes sooner). */
const CHANGING_MS = 400;
const STEADY_MS = 5_000;

/** A generation's preview: its state, kept up to date, and what can be done with it. */
export function usePreview(generationId: string) {
  const api = useApi();
  const queries = useQueries();
  const session = useLogSession(generationId);
  const key = statusKey(generationId);
  const refresh = () => queries.invalidateQueries({ queryKey: key });

  const status = useQuery(
    {
      queryKey: key,
      queryFn: () => api.status(generationId),
      refetchInterval: ({ state }) => (state.data?.phase === "launching" ? CHANGING_MS : STEADY_MS),
    },
    queries,
  );
  const previewId = previewIdOf(status.data);
  useEffect(() => session.attach(), [session]);
  useEffect(() => session.follow(previewId), [session, previewId]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: refresh is the same for the same generation.
  useEffect(() => session.onStatus(() => void refresh()), [session]);

  // What was done is done once the state shows it; what was refused is told at once.
  const afterwards = { onSuccess: refresh, onError: () => void refresh() };
  /** Its log tells when it runs: it is opened before the state has been asked for. */
  const begun = ({ previewInstanceId }: Launched) => {
    session.follow(previewInstanceId);
    return refresh();
  };
  const launch = useMutation(
    {
      mutationFn: (request: LaunchRequest) => api.launch(generationId, request),
      ...afterwards,
      onSuccess: begun,
    },
    queries,
  );
  const stop = useMutation({ mutationFn: () => api.stop(generationId), ...afterwards }, queries);
  const restart = useMutation(
    {
      mutationFn: async () => {
        await stopIfThere(api, generationId);
        return api.launch(generationId, {});
      },
      ...afterwards,
      onSuccess: begun,
    },
    queries,
  );
  return { state: status.data ?? null, error: status.error, session, launch, stop, restart, refresh };
}

export type PreviewControls = ReturnType<typeof usePreview>;

function previewIdOf(state: PreviewState | undefined): string | null {
  if (state === undefined || state.phase === "idle") return null;
  return state.phase === "over" ? state.last.previewInstanceId : state.preview.previewInstanceId;
}

/** A preview that has ended in the meantime needs no stopping. */
async function stopIfThere(api: Api, generationId: string): Promise<void> {
  try {
    await api.stop(generationId);
  } catch (error) {
    if (!isCode(error, "no_active_preview")) throw error;
  }
}
