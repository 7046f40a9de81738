import { json } from "@codemirror/lang-json";
import { EditorState } from "@codemirror/state";
import { expect, test } from "vitest";
import { placeOf, refusals, refuse } from "./refused";

const TEXT = '{"title": "x", "lines": [{"price": -1}, {}], "a.b": null}';
const state = EditorState.create({ doc: TEXT, extensions: [json(), refusals] });

function at(...path: string[]): string | undefined {
  const place = placeOf(state, path);
  return place && TEXT.slice(place.from, place.to);
}

test("a refused value is found by its path", () => {
  expect(at("title")).toBe('"x"');
  expect(at("lines", "0", "price")).toBe("-1");
  expect(at("lines", "1")).toBe("{}");
  expect(at("a.b")).toBe("null");
  expect(at()).toBe(TEXT);
});

test("what is missing is told at what lacks it", () => {
  const lacking = placeOf(state, ["lines", "1", "price"]);
  expect(lacking).toEqual({ from: TEXT.indexOf("{}"), to: TEXT.indexOf("{}") + 1 });
  expect(at("author")).toBe("{");
  expect(at("title", "deeper")).toBe('"');
  expect(placeOf(EditorState.create({ doc: "", extensions: [json()] }), ["x"])).toEqual({ from: 0, to: 0 });
});

test("marks stay with their values while the text is edited, and are replaced when told anew", () => {
  const marked = state.update({ effects: refuse.of([{ path: ["title"], message: "too short" }]) }).state;
  const edited = marked.update({ changes: { from: 1, insert: '"id": 1, ' } }).state;
  const found: string[] = [];
  edited.field(refusals).between(0, edited.doc.length, (from, to, mark) => {
    found.push(`${edited.sliceDoc(from, to)} ${mark.spec.attributes.title}`);
  });
  expect(found).toEqual(['"x" too short']);
  expect(edited.update({ effects: refuse.of([]) }).state.field(refusals).size).toBe(0);
});
