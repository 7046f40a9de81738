import { useMutation, useQuery } from "@tanstack/react-query";
import { useApi } from "../../api/context";
import { isCode } from "../../api/errors";
import type { PreviewControls } from "./usePreview";

/** What a reached limit asks for: which preview to stop (the one that is over soonest), and doing so. */
export function useMakeRoom(generationId: string, { launch }: PreviewControls) {
  const api = useApi();
  const full = isCode(launch.error, "preview_limit_reached");
  const other = useQuery({
    queryKey: ["other", generationId],
    enabled: full,
    queryFn: async () => {
      const active = (await api.previews()).filter(
        ({ status }) => status === "running" || status === "launching",
      );
      const oldest = active.sort((a, b) => (a.expiresAt ?? "").localeCompare(b.expiresAt ?? ""))[0];
      return oldest ? api.generation(oldest.generationId) : null;
    },
  });
  const makeRoom = useMutation({
    mutationFn: async () => {
      if (other.data) await api.stop(other.data.generationId);
    },
    onSuccess: () => launch.mutate({}),
  });
  return { other: full ? (other.data ?? null) : null, makeRoom };
}
