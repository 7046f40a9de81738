import { messageOf } from "../../api/errors";
import type { FileEntry } from "../../api/types";
import { bytes } from "../../shared/lib/format";
import css from "./files.module.css";
import { type Folder, nameOf, treeOf } from "./tree";
import { useFileList } from "./useFiles";

export interface FileListProps {
  generationId: string;
  /** Path of the file that is shown. */
  selected: string | null;
  /** What is not saved, by path. */
  edits: Readonly<Record<string, string>>;
  onSelect: (path: string) => void;
}

export function FileList({ generationId, ...props }: FileListProps) {
  const { data, error } = useFileList(generationId);
  if (error) return <p className={css.note}>{messageOf(error)}</p>;
  if (!data) return <p className={css.note}>Reading the files…</p>;
  return (
    <nav className={css.list} aria-label="Files">
      <Level folder={treeOf(data)} {...props} />
    </nav>
  );
}

type LevelProps = { folder: Folder } & Pick<FileListProps, "selected" | "edits" | "onSelect">;

function Level({ folder, ...props }: LevelProps) {
  const { selected, edits, onSelect } = props;
  return (
    <ul className={css.level}>
      {folder.folders.map((inner) => (
        <li key={inner.path}>
          <details open>
            <summary className={css.folder}>{inner.name}</summary>
            <Level folder={inner} {...props} />
          </details>
        </li>
      ))}
      {folder.files.map((file) => (
        <li key={file.path}>
          <FileButton
            file={file}
            current={file.path === selected}
            edited={Object.hasOwn(edits, file.path)}
            onSelect={onSelect}
          />
        </li>
      ))}
    </ul>
  );
}

interface FileButtonProps {
  file: FileEntry;
  current: boolean;
  edited: boolean;
  onSelect: (path: string) => void;
}

function FileButton({ file, current, edited, onSelect }: FileButtonProps) {
  return (
    <button
      type="button"
      className={css.file}
      aria-current={current || undefined}
      title={`${file.path}, ${bytes(file.size)}`}
      onClick={() => onSelect(file.path)}
    >
      {nameOf(file.path)} {edited && <span className={css.edited}>not saved</span>}
    </button>
  );
}
