import { expect, test } from "vitest";
import { contents, fromFolder } from "./collect";

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
