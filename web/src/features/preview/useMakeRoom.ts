import { useMutation } from "@tanstack/react-query";
import { useApi } from "../../api/context";
import type { PreviewControls } from "./usePreview";

/** Stops the caller's other previews, then launches this one: what a reached limit asks for. */
export function useMakeRoom(generationId: string, { launch }: PreviewControls) {
  const api = useApi();
  return useMutation({
    mutationFn: async () => {
      const active = (await api.previews()).filter(
        ({ status }) => status === "running" || status === "launching",
      );
      for (const other of active) if (other.generationId !== generationId) await api.stop(other.generationId);
    },
    onSuccess: () => launch.mutate({}),
  });
}
