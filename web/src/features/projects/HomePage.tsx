import { Trash2 } from "lucide-react";
import { useEffect, useState } from "react";
import { messageOf } from "../../api/errors";
import type { Generation, PreviewStatus } from "../../api/types";
import { ago, bytes, plural } from "../../shared/lib/format";
import { useNow } from "../../shared/lib/hooks";
import { Button, IconButton } from "../../shared/ui/Button";
import { Callout } from "../../shared/ui/Callout";
import { Confirm } from "../../shared/ui/Dialog";
import { Mark } from "../../shared/ui/Mark";
import { ThemeMenu } from "../preview/StatusBar";
import { DropZone } from "./DropZone";
import css from "./projects.module.css";
import { type ProjectGroup, useDeleteGeneration, useProjects, useUpload } from "./useProjects";

/** All projects of the caller, and the place to upload another. */
export default function HomePage({ onOpen }: { onOpen: (generationId: string) => void }) {
  const projects = useProjects();
  const upload = useUpload((generation) => onOpen(generation.generationId));
  useEffect(() => {
    document.title = "previewd";
  }, []);
  return (
    <div className={css.page}>
      <header className={css.top}>
        <Mark />
        <strong>previewd</strong>
        <ThemeMenu />
      </header>
      <main className={css.main}>
        <DropZone
          busy={upload.isPending}
          error={upload.error}
          onPicked={(picked) => upload.mutate({ picked, project: null })}
        >
          <h1>Run a generated backend</h1>
          <p className={css.lead}>
            Upload a FastAPI project. Then launch it, call its endpoints and watch its log.
          </p>
        </DropZone>
        {projects.error && (
          <Callout
            tone="error"
            role="alert"
            actions={
              <Button size="small" onClick={() => void projects.refetch()}>
                Try again
              </Button>
            }
          >
            {messageOf(projects.error)}
          </Callout>
        )}
        {projects.data?.groups.map((group) => (
          <ProjectSection
            key={group.project.projectId}
            group={group}
            previews={projects.data.previews}
            onOpen={onOpen}
          />
        ))}
      </main>
    </div>
  );
}

interface ProjectSectionProps {
  group: ProjectGroup;
  previews: ReadonlyMap<string, PreviewStatus>;
  onOpen: (generationId: string) => void;
}

function ProjectSection({ group, previews, onOpen }: ProjectSectionProps) {
  const [doomed, setDoomed] = useState<Generation | null>(null);
  const remove = useDeleteGeneration();
  if (group.generations.length === 0) return null;
  return (
    <section className={css.project} aria-label={group.project.name}>
      <h2>{group.project.name}</h2>
      <ul className={css.generations}>
        {group.generations.map((generation) => (
          <GenerationRow
            key={generation.generationId}
            generation={generation}
            preview={previews.get(generation.generationId)}
            onOpen={onOpen}
            onDelete={() => setDoomed(generation)}
          />
        ))}
      </ul>
      {doomed && (
        <Confirm
          title={`Delete ${doomed.name}?`}
          action="Delete"
          busy={remove.isPending}
          onClose={() => setDoomed(null)}
          onConfirm={() => remove.mutate(doomed, { onSettled: () => setDoomed(null) })}
        >
          Its files, its log and its database are removed, and its preview is stopped. This cannot be undone.
        </Confirm>
      )}
      {remove.error && <Callout tone="error">{messageOf(remove.error)}</Callout>}
    </section>
  );
}

function stateOf({ status, asleep }: PreviewStatus): string {
  if (status === "launching") return "Launching";
  return asleep ? "Asleep" : "Running";
}

interface GenerationRowProps {
  generation: Generation;
  preview: PreviewStatus | undefined;
  onOpen: (generationId: string) => void;
  onDelete: () => void;
}

function GenerationRow({ generation, preview, onOpen, onDelete }: GenerationRowProps) {
  const now = useNow(60_000);
  const { generationId, name, fileCount, totalBytes, createdAt } = generation;
  return (
    <li className={css.row}>
      <a
        className={css.open}
        href={`/g/${encodeURIComponent(generationId)}`}
        onClick={(event) => {
          if (event.metaKey || event.ctrlKey || event.shiftKey) return;
          event.preventDefault();
          onOpen(generationId);
        }}
      >
        <span className={css.name}>{name}</span>
        {preview && <span className={css.running}>{stateOf(preview)}</span>}
        <span className={css.meta}>
          {plural(fileCount, "file")}, {bytes(totalBytes)}
        </span>
        <time className={css.meta} dateTime={createdAt}>
          {ago(createdAt, now)}
        </time>
      </a>
      <IconButton label={`Delete ${name}`} icon={<Trash2 size={16} />} onClick={onDelete} />
    </li>
  );
}
