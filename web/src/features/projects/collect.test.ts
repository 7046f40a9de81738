import { expect, test } from "vitest";
import { contents, fromDrop, fromFolder, MAX_BYTES, MAX_FILES } from "./collect";

/** A chosen file; jsdom's own cannot be read. */
const file = (path: string, data: string | Uint8Array<ArrayBuffer> = "x") => {
  const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
  const made = new File([bytes], path.split("/").pop() ?? "");
  Object.defineProperty(made, "webkitRelativePath", { value: path });
  Object.defineProperty(made, "arrayBuffer", { value: async () => bytes });
  return made;
};
const folder = (...files: File[]) => fromFolder(files as unknown as FileList);

test("a folder's own name is stripped, and what tools made is left out", () => {
  const picked = folder(
    file("shop/app/main.py"),
    file("shop/.git/HEAD"),
    file("shop/app/__pycache__/main.pyc"),
    file("shop/requirements.txt"),
  );
  expect(picked.name).toBe("shop");
  expect(picked.kind === "files" && picked.files.map(({ path }) => path)).toEqual([
    "app/main.py",
    "requirements.txt",
  ]);
});

test("a folder with nothing in it is refused in words", () => {
  expect(() => folder(file("shop/.git/HEAD"))).toThrow("no files");
});

test("text is sent as text, everything else as base64", async () => {
  const binary = new Uint8Array([0xff, 0xfe, 0x00]);
  const map = await contents([
    { path: "a.py", file: file("a.py", "print('é')") },
    { path: "b.bin", file: file("b.bin", binary) },
  ]);
  expect(map).toEqual({ "a.py": "print('é')", "b.bin": { base64: "//4A" } });
});

/** What a browser gives for something that is dropped; a folder's entries come in parts. */
type Dropped = File | [string, ...Dropped[]];
const entryOf = (dropped: Dropped): FileSystemEntry => {
  if (dropped instanceof File) {
    const entry = { name: dropped.name, isFile: true, file: (done: (file: File) => void) => done(dropped) };
    return entry as unknown as FileSystemEntry;
  }
  const [name, ...inside] = dropped;
  const createReader = () => {
    const parts = [inside.slice(0, 1), inside.slice(1), []];
    return {
      readEntries: (done: (entries: FileSystemEntry[]) => void) => done(parts.shift()?.map(entryOf) ?? []),
    };
  };
  return { name, isDirectory: true, createReader } as unknown as FileSystemEntry;
};
const drop = (...dropped: Dropped[]) =>
  fromDrop({
    items: dropped.map((one) => ({ webkitGetAsEntry: () => entryOf(one) })),
    files: dropped.filter((one) => one instanceof File),
  } as unknown as DataTransfer);

test("a folder, files or a zip may be dropped", async () => {
  const folder: Dropped = [
    "shop",
    file("a.py"),
    ["app", file("main.py"), file("x.pyc"), file("b.py")],
    [".git", file("HEAD")],
  ];
  const picked = await drop(folder);
  expect([picked.name, picked.kind === "files" && picked.files.map(({ path }) => path)]).toEqual([
    "shop",
    ["a.py", "app/main.py", "app/b.py"],
  ]);
  expect(await drop(file("a.py"), file("b.py"))).toMatchObject({ kind: "files", name: "Upload" });
  expect(await drop(file("Shop.ZIP"))).toMatchObject({ kind: "zip", name: "Shop" });
});

test("what the server would refuse is refused before it is sent", () => {
  const many = Array.from({ length: MAX_FILES + 1 }, (_, index) => file(`shop/${index}.py`));
  expect(() => folder(...many)).toThrow("is the limit");
  const large = file("shop/data.bin");
  Object.defineProperty(large, "size", { value: MAX_BYTES + 1 });
  expect(() => folder(large)).toThrow("over 50 MiB");
});
