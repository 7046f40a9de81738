import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import type { Api } from "../../api/client";
import { useApi } from "../../api/context";
import type { Generation, PreviewStatus, Project } from "../../api/types";
import { contents, type Picked } from "./collect";

export interface ProjectGroup {
  project: Project;
  /** Newest first. */
  generations: Generation[];
}

/** Projects with their generations, and what runs now, by generation. */
export function useProjects() {
  const api = useApi();
  return useQuery({
    queryKey: ["projects"],
    queryFn: async () => {
      const [projects, generations, previews] = await Promise.all([
        api.projects(),
        api.generations(),
        api.previews(),
      ]);
      return { groups: grouped(projects, generations), previews: byGeneration(previews) };
    },
    refetchInterval: 10_000,
  });
}

/** Uploads into the project of that name, made if there is none. */
export function useUpload(onUploaded: (generation: Generation) => void) {
  const api = useApi();
  const queries = useQueryClient();
  return useMutation({
    mutationFn: async ({ picked, project }: { picked: Picked; project: Project | null }) => {
      const target = project ?? (await projectNamed(api, picked.name));
      if (picked.kind === "zip") return api.uploadZip(target.projectId, picked.name, picked.archive);
      return api.uploadFiles(target.projectId, { name: picked.name, files: await contents(picked.files) });
    },
    onSuccess: onUploaded,
    onSettled: () => queries.invalidateQueries({ queryKey: ["projects"] }),
  });
}

export function useDeleteGeneration() {
  const api = useApi();
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (generation: Generation) => api.deleteGeneration(generation.generationId),
    onSettled: () => queries.invalidateQueries({ queryKey: ["projects"] }),
  });
}

async function projectNamed(api: Api, name: string): Promise<Project> {
  const known = (await api.projects()).find((project) => project.name === name);
  return known ?? api.createProject(name);
}

function grouped(projects: readonly Project[], generations: readonly Generation[]): ProjectGroup[] {
  return projects
    .map((project) => ({
      project,
      generations: generations.filter(({ projectId }) => projectId === project.projectId),
    }))
    .sort((a, b) => newest(b).localeCompare(newest(a)));
}

const newest = ({ project, generations }: ProjectGroup) => generations[0]?.createdAt ?? project.createdAt;

function byGeneration(previews: readonly PreviewStatus[]): Map<string, PreviewStatus> {
  const active = previews.filter(({ status }) => status === "running" || status === "launching");
  return new Map(active.map((preview) => [preview.generationId, preview]));
}
