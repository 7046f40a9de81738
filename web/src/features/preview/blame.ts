/** A place in the generation's own files. */
interface Place {
  path: string;
  line: number;
}

/** Where a failure comes from: the innermost frame of its traceback that is the generation's own. */
export function placeOf(tail: readonly string[]): Place | null {
  for (const text of [...tail].reverse()) {
    const frames = [...text.matchAll(/^\s*File "([^"]+)", line (\d+)/gm)].reverse();
    for (const [, path = "", line] of frames) if (isOwn(path)) return { path, line: Number(line) };
  }
  return null;
}

/** Packages are told from `site-packages/`, the rest of Python by its absolute path, and what has no file in `<>`. */
const isOwn = (path: string): boolean => !/^[/<]|^site-packages\/|\.\.\//.test(path);
