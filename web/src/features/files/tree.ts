import type { FileEntry } from "../../api/types";

export interface Folder {
  /** Last part of its path; empty for the root. */
  name: string;
  /** With a slash at its end; empty for the root. */
  path: string;
  folders: Folder[];
  files: FileEntry[];
}

/** The files as a tree: folders first, each level by name. */
export function treeOf(files: readonly FileEntry[]): Folder {
  const root: Folder = { name: "", path: "", folders: [], files: [] };
  for (const file of [...files].sort((a, b) => a.path.localeCompare(b.path))) {
    const parts = file.path.split("/").slice(0, -1);
    parts.reduce(folderIn, root).files.push(file);
  }
  return root;
}

function folderIn(parent: Folder, name: string): Folder {
  const known = parent.folders.find((folder) => folder.name === name);
  if (known) return known;
  const made: Folder = { name, path: `${parent.path}${name}/`, folders: [], files: [] };
  parent.folders.push(made);
  return made;
}

export const nameOf = (path: string): string => path.slice(path.lastIndexOf("/") + 1);

/** How an editor is to read a file. */
export function languageOf(path: string): "python" | "json" | "text" {
  if (path.endsWith(".py")) return "python";
  return path.endsWith(".json") ? "json" : "text";
}
