import type { FileContent } from "../../api/types";
import { asUtf8, toBase64 } from "../../shared/lib/bytes";

/** What a person dropped or chose: an archive as it is, or the files of a folder. */
export type Picked =
  | { kind: "zip"; name: string; archive: File }
  | { kind: "files"; name: string; files: { path: string; file: File }[] };

/** The server's own limits, told before anything is sent. */
export const MAX_FILES = 5_000;
export const MAX_BYTES = 50 * 1024 * 1024;

/** Made by tools, never part of a project's source. */
const SKIPPED = new Set([
  ".git",
  ".hg",
  ".venv",
  "venv",
  "node_modules",
  "__pycache__",
  ".mypy_cache",
  ".pytest_cache",
  ".ruff_cache",
  ".idea",
  ".DS_Store",
]);

const isSkipped = (path: string) =>
  path.split("/").some((part) => SKIPPED.has(part)) || path.endsWith(".pyc");

/** Reads a drop. Its entries must be taken before the first wait: the browser empties the list after it. */
export async function fromDrop(data: DataTransfer): Promise<Picked> {
  const entries = [...data.items].map((item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
  const single = data.files.length === 1 ? data.files[0] : undefined;
  if (single && entries[0]?.isFile && isZip(single.name)) return zip(single);
  const found = await walk(entries, "");
  const folder = entries.length === 1 && entries[0]?.isDirectory ? entries[0].name : null;
  return files(found, folder);
}

/** Reads what a folder input gave: paths start with the folder's own name. */
export function fromFolder(list: FileList): Picked {
  const found = [...list].map((file) => ({ path: file.webkitRelativePath || file.name, file }));
  return files(found, found[0]?.path.split("/")[0] ?? null);
}

export function zip(archive: File): Picked {
  return { kind: "zip", name: archive.name.replace(/\.zip$/i, ""), archive };
}

export const isZip = (name: string): boolean => /\.zip$/i.test(name);

function files(found: { path: string; file: File }[], folder: string | null): Picked {
  const inside =
    folder === null ? found : found.map((one) => ({ ...one, path: one.path.slice(folder.length + 1) }));
  const kept = inside.filter(({ path }) => path !== "" && !isSkipped(path));
  if (kept.length === 0)
    throw new Error("There are no files in it. Drop the folder that holds requirements.txt.");
  if (kept.length > MAX_FILES) throw new Error(`It has ${kept.length} files; ${MAX_FILES} is the limit.`);
  const size = kept.reduce((sum, { file }) => sum + file.size, 0);
  if (size > MAX_BYTES) throw new Error("It is over 50 MiB. Leave out data and build output.");
  return { kind: "files", name: folder ?? "Upload", files: kept };
}

async function walk(
  entries: readonly FileSystemEntry[],
  prefix: string,
): Promise<{ path: string; file: File }[]> {
  const found: { path: string; file: File }[] = [];
  for (const entry of entries) {
    const path = prefix + entry.name;
    if (isSkipped(path)) continue;
    if (entry.isFile) found.push({ path, file: await fileOf(entry as FileSystemFileEntry) });
    else found.push(...(await walk(await children(entry as FileSystemDirectoryEntry), `${path}/`)));
    if (found.length > MAX_FILES) break;
  }
  return found;
}

const fileOf = (entry: FileSystemFileEntry) =>
  new Promise<File>((resolve, reject) => entry.file(resolve, reject));

/** A directory's entries come a hundred at a time, and an empty list says that it was all. */
async function children(directory: FileSystemDirectoryEntry): Promise<FileSystemEntry[]> {
  const reader = directory.createReader();
  const all: FileSystemEntry[] = [];
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    );
    if (some.length === 0) return all;
    all.push(...some);
  }
}

/** The JSON map of an upload: text as it is, the rest as base64. */
export async function contents(
  picked: readonly { path: string; file: File }[],
): Promise<Record<string, FileContent>> {
  const entries = await Promise.all(
    picked.map(async ({ path, file }) => {
      const data = new Uint8Array(await file.arrayBuffer());
      return [path, asUtf8(data) ?? { base64: toBase64(data) }] as const;
    }),
  );
  return Object.fromEntries(entries);
}
