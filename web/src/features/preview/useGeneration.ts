import { useQuery } from "@tanstack/react-query";
import { useApi } from "../../api/context";

const generationKey = (id: string) => ["generation", id] as const;

/** What was uploaded: its name, and what is to be known of it before a launch. */
export function useGeneration(id: string) {
  const api = useApi();
  return useQuery({ queryKey: generationKey(id), queryFn: () => api.generation(id), staleTime: 60_000 });
}
