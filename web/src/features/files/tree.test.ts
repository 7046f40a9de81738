import { expect, test } from "vitest";
import { languageOf, treeOf } from "./tree";

const file = (path: string) => ({ path, size: 1, sha256: "" });

test("files become folders and files, each level by name", () => {
  const root = treeOf(["requirements.txt", "app/main.py", "app/routers/b.py", "app/routers/a.py"].map(file));
  expect(root.files.map(({ path }) => path)).toEqual(["requirements.txt"]);
  expect(root.folders.map(({ path }) => path)).toEqual(["app/"]);
  expect(root.folders[0]?.folders[0]?.files.map(({ path }) => path)).toEqual([
    "app/routers/a.py",
    "app/routers/b.py",
  ]);
});

test("a folder may be called like anything", () => {
  expect(treeOf([file("constructor/__proto__/x.py")]).folders[0]?.folders[0]?.path).toBe(
    "constructor/__proto__/",
  );
});

test("an editor reads Python and JSON", () => {
  expect(["a.py", "b.json", "Dockerfile"].map(languageOf)).toEqual(["python", "json", "text"]);
});
