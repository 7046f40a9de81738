import { FolderOpen, Package } from "lucide-react";
import { type ReactNode, useEffect, useRef, useState } from "react";
import { messageOf } from "../../api/errors";
import { Button, classes } from "../../shared/ui/Button";
import { Callout } from "../../shared/ui/Callout";
import { fromDrop, fromFolder, isZip, type Picked, zip } from "./collect";
import css from "./projects.module.css";

export interface DropZoneProps {
  busy: boolean;
  /** Why the last upload was refused. */
  error: unknown;
  onPicked: (picked: Picked) => void;
  children: ReactNode;
}

/** Takes a folder or a zip, dropped anywhere on the page or chosen. */
export function DropZone({ busy, error, onPicked, children }: DropZoneProps) {
  const [problem, setProblem] = useState<string | null>(null);
  const folder = useRef<HTMLInputElement>(null);
  const archive = useRef<HTMLInputElement>(null);
  const take = async (read: () => Promise<Picked> | Picked) => {
    setProblem(null);
    try {
      onPicked(await read());
    } catch (thrown) {
      setProblem(messageOf(thrown));
    }
  };
  const over = usePageDrop((data) => void take(() => fromDrop(data)));
  const message = problem ?? (error ? messageOf(error) : null);
  return (
    <section className={classes(css.drop, over && css.over)} aria-label="Upload">
      {children}
      <div className={css.dropActions}>
        <Button
          look="primary"
          size="large"
          busy={busy}
          icon={<FolderOpen size={16} />}
          onClick={() => folder.current?.click()}
        >
          {busy ? "Uploading" : "Choose a folder"}
        </Button>
        <Button
          size="large"
          disabled={busy}
          icon={<Package size={16} />}
          onClick={() => archive.current?.click()}
        >
          Choose a zip
        </Button>
        <span className={css.hint}>or drop either one anywhere on this page</span>
      </div>
      <input
        ref={folder}
        type="file"
        hidden
        aria-label="Folder to upload"
        {...{ webkitdirectory: "" }}
        onChange={({ target }) =>
          target.files?.length && void take(() => fromFolder(target.files as FileList))
        }
      />
      <input
        ref={archive}
        type="file"
        hidden
        aria-label="Zip to upload"
        accept=".zip,application/zip"
        onChange={({ target }) => {
          const file = target.files?.[0];
          if (file) void take(() => pickedZip(file));
        }}
      />
      {message && (
        <Callout tone="error" role="alert">
          {message}
        </Callout>
      )}
    </section>
  );
}

function pickedZip(file: File): Picked {
  if (!isZip(file.name)) throw new Error(`${file.name} is not a zip.`);
  return zip(file);
}

/** Takes drops on the whole page; answers whether something is being dragged over it. */
function usePageDrop(onDrop: (data: DataTransfer) => void): boolean {
  const [over, setOver] = useState(false);
  const newest = useRef(onDrop);
  newest.current = onDrop;
  useEffect(() => {
    const drag = (event: DragEvent) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      setOver(event.type === "dragover" || (event.type === "dragleave" && event.relatedTarget !== null));
      if (event.type === "drop") newest.current(event.dataTransfer);
    };
    const events = ["dragover", "dragleave", "drop"] as const;
    for (const name of events) window.addEventListener(name, drag);
    return () => {
      for (const name of events) window.removeEventListener(name, drag);
    };
  }, []);
  return over;
}
