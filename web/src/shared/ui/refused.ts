import { ensureSyntaxTree, syntaxTree } from "@codemirror/language";
import { type EditorState, StateEffect, StateField } from "@codemirror/state";
import { Decoration, type DecorationSet, EditorView } from "@codemirror/view";

type SyntaxNode = ReturnType<typeof syntaxTree>["topNode"];

/** A part of a JSON document that was refused. */
export interface Refused {
  /** Names and indices, from the outside in. */
  path: readonly string[];
  message: string;
}

/** Milliseconds that parsing may take: of a longer document only what was parsed before is marked. */
const PATIENCE = 500;

export const refuse = StateEffect.define<readonly Refused[]>();

/** Underlines what was refused, with the reason as its title, until it is told anew. */
export const refusals = StateField.define<DecorationSet>({
  create: () => Decoration.none,
  update(marks, transaction) {
    const told = transaction.effects.filter((effect) => effect.is(refuse));
    const newest = told.at(-1);
    return newest ? decorate(transaction.state, newest.value) : marks.map(transaction.changes);
  },
  provide: (field) => EditorView.decorations.from(field),
});

function decorate(state: EditorState, refused: readonly Refused[]): DecorationSet {
  const marks = refused.flatMap(({ path, message }) => {
    const place = placeOf(state, path);
    if (!place || place.from === place.to) return [];
    const mark = Decoration.mark({ class: "cm-refused", attributes: { title: message } });
    return [mark.range(place.from, place.to)];
  });
  return Decoration.set(marks, true);
}

/** Where a value is; where it is missing, the opening bracket of what lacks it. */
export function placeOf(
  state: EditorState,
  path: readonly string[],
): { from: number; to: number } | undefined {
  const tree = ensureSyntaxTree(state, state.doc.length, PATIENCE) ?? syntaxTree(state);
  let node = tree.topNode.firstChild;
  for (const step of path) {
    const inner = node && childAt(state, node, step);
    if (!inner) return node ? { from: node.from, to: Math.min(node.from + 1, node.to) } : undefined;
    node = inner;
  }
  return node ? { from: node.from, to: node.to } : undefined;
}

function childAt(state: EditorState, node: SyntaxNode, step: string): SyntaxNode | undefined {
  if (node.name === "Object") {
    const property = node.getChildren("Property").find((child) => nameOf(state, child) === step);
    return property?.lastChild ?? undefined;
  }
  if (node.name !== "Array" || !/^\d+$/.test(step)) return undefined;
  const values: SyntaxNode[] = [];
  for (let child = node.firstChild; child; child = child.nextSibling) {
    if (!/^[[\],]$/.test(child.name)) values.push(child);
  }
  return values[Number(step)];
}

function nameOf(state: EditorState, property: SyntaxNode): string | undefined {
  const name = property.getChild("PropertyName");
  if (!name) return undefined;
  try {
    return JSON.parse(state.sliceDoc(name.from, name.to)) as string;
  } catch {
    return undefined;
  }
}
