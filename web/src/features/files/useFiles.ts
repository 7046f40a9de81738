import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useApi } from "../../api/context";
import type { PatchResult } from "../../api/types";
import { asUtf8 } from "../../shared/lib/bytes";

export const patchKey = (generationId: string) => ["patch", generationId] as const;

/** The generation's files, by path. */
export function useFileList(generationId: string) {
  const api = useApi();
  return useQuery({ queryKey: ["files", generationId], queryFn: () => api.files(generationId) });
}

/** One file's text; `null` where it is none. */
export function useFileText(generationId: string, path: string) {
  const api = useApi();
  return useQuery({
    queryKey: ["file", generationId, path],
    queryFn: async () => asUtf8(await api.file(generationId, path)),
    staleTime: Number.POSITIVE_INFINITY,
  });
}

/** Saves one file, or removes it (`null`); a running preview moves to the new code. */
export function useSaveFile(
  generationId: string,
  onSaved: (result: PatchResult, text: string | null) => void,
) {
  const api = useApi();
  const queries = useQueryClient();
  return useMutation({
    mutationKey: patchKey(generationId),
    mutationFn: ({ path, text }: { path: string; text: string | null }) =>
      api.patchFiles(generationId, { [path]: text }),
    onSuccess: (result, { path, text }) => {
      queries.setQueryData(["file", generationId, path], text);
      onSaved(result, text);
      for (const queryKey of [
        ["files", generationId],
        ["status", generationId],
        ["endpoints", generationId],
        ["generation", generationId],
      ]) {
        void queries.invalidateQueries({ queryKey });
      }
    },
  });
}
