import { autocompletion, closeBrackets, completeFromList } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { json } from "@codemirror/lang-json";
import { python } from "@codemirror/lang-python";
import {
  bracketMatching,
  codeFolding,
  foldGutter,
  foldKeymap,
  HighlightStyle,
  indentUnit,
  syntaxHighlighting,
} from "@codemirror/language";
import { search, searchKeymap } from "@codemirror/search";
import { EditorState, type Extension, Prec } from "@codemirror/state";
import { drawSelection, EditorView, keymap, lineNumbers } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { useEffect, useRef } from "react";
import { flushSync } from "react-dom";
import type { CodeProps } from "./Code";
import css from "./code.module.css";
import { type Refused, refusals, refuse } from "./refused";

/**
 * CodeMirror in a shadow root: there it styles itself by constructed style sheets, which a CSP without
 * `unsafe-inline` allows, and a host page's styles cannot reach it.
 */
export default function CodeMirror(props: CodeProps) {
  const host = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView | null>(null);
  const newest = useRef(props);
  newest.current = props;
  const { language, readOnly = false, label } = props;

  // biome-ignore lint/correctness/useExhaustiveDependencies: the text is kept up to date below.
  useEffect(() => {
    if (!host.current) return;
    const root = host.current.shadowRoot ?? host.current.attachShadow({ mode: "open" });
    const state = EditorState.create({
      doc: props.value,
      extensions: extensions(language, readOnly, label, newest),
    });
    const made = new EditorView({ state, parent: root as unknown as Element, root });
    view.current = made;
    return () => {
      made.destroy();
      view.current = null;
    };
  }, [language, readOnly, label]);

  useEffect(() => {
    const editor = view.current;
    if (!editor || editor.state.doc.toString() === props.value) return;
    editor.dispatch({ changes: { from: 0, to: editor.state.doc.length, insert: props.value } });
  }, [props.value]);

  const { refused = NONE } = props;
  useEffect(() => view.current?.dispatch({ effects: refuse.of(refused) }), [refused]);

  const { line } = props;
  useEffect(() => {
    const editor = view.current;
    if (!editor || line === undefined || line < 1 || line > editor.state.doc.lines) return;
    const { from } = editor.state.doc.line(line);
    editor.dispatch({
      selection: { anchor: from },
      effects: EditorView.scrollIntoView(from, { y: "center" }),
    });
    editor.focus();
  }, [line]);

  return <div ref={host} className={css.host} />;
}

const NONE: readonly Refused[] = [];

type Newest = { current: CodeProps };

function extensions(
  language: CodeProps["language"],
  readOnly: boolean,
  label: string,
  newest: Newest,
): Extension {
  return [
    lineNumbers(),
    codeFolding(),
    foldGutter(),
    drawSelection(),
    bracketMatching(),
    search({ top: true }),
    EditorView.lineWrapping,
    syntaxHighlighting(HIGHLIGHT),
    THEME,
    languageOf(language),
    refusals,
    EditorView.contentAttributes.of({ "aria-label": label, tabindex: "0" }),
    readOnly ? [EditorState.readOnly.of(true), EditorView.editable.of(false)] : editing(newest),
    keymap.of([...defaultKeymap, ...foldKeymap, ...searchKeymap]),
  ];
}

function editing(newest: Newest): Extension {
  const run = (action: (() => void) | undefined) => {
    action?.();
    return action !== undefined;
  };
  return [
    history(),
    closeBrackets(),
    TYPE_OVER,
    indentUnit.of("  "),
    autocompletion({
      override: [
        (context) =>
          completeFromList((newest.current.words ?? []).map((label) => ({ label, type: "property" })))(
            context,
          ),
      ],
    }),
    EditorView.updateListener.of(({ docChanged, state }) => {
      if (!docChanged) return;
      const text = state.doc.toString();
      // The page knows a change before the next key: put off, it would be missing from what that key sends or saves.
      if (text !== newest.current.value) flushSync(() => newest.current.onChange?.(text));
    }),
    Prec.highest(
      keymap.of([
        { key: "Mod-Enter", run: () => run(newest.current.onSubmit) },
        { key: "Mod-s", run: () => run(newest.current.onSave) },
      ]),
    ),
    keymap.of(historyKeymap),
  ];
}

/**
 * Typing over a selection. The browser would keep the replaced text's look in an inline style, which the
 * CSP forbids (and reports), so the change is made in the editor's own state.
 */
const TYPE_OVER = EditorView.domEventHandlers({
  beforeinput(event, view) {
    const { from, to, empty } = view.state.selection.main;
    const { data } = event;
    if (event.inputType !== "insertText" || event.isComposing || empty || !data) return false;
    const insert = () => view.state.update(view.state.replaceSelection(data), { userEvent: "input.type" });
    const taken = view.state
      .facet(EditorView.inputHandler)
      .some((handle) => handle(view, from, to, data, insert));
    if (!taken) view.dispatch(insert());
    return true;
  },
});

function languageOf(language: CodeProps["language"]): Extension {
  switch (language) {
    case "json":
      return json();
    case "python":
      return [python(), indentUnit.of("    ")];
    case "text":
      return [];
  }
}

const HIGHLIGHT = HighlightStyle.define([
  { tag: [tags.propertyName, tags.definition(tags.variableName)], color: "var(--pv-info)" },
  { tag: [tags.string], color: "var(--pv-ok)" },
  { tag: [tags.number, tags.bool, tags.null], color: "var(--pv-warn)" },
  { tag: [tags.keyword, tags.operatorKeyword, tags.definitionKeyword, tags.self], color: "var(--pv-violet)" },
  { tag: [tags.comment], color: "var(--pv-muted)", fontStyle: "italic" },
  { tag: [tags.function(tags.definition(tags.variableName)), tags.className], color: "var(--pv-info)" },
]);

const THEME = EditorView.theme({
  "&": { height: "100%", color: "var(--pv-text)", fontSize: "12px" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { fontFamily: "var(--pv-mono)", lineHeight: "1.6", overflow: "auto" },
  ".cm-content": { padding: "8px 0", caretColor: "var(--pv-text)" },
  ".cm-cursor": { borderLeftColor: "var(--pv-text)" },
  ".cm-gutters": { background: "transparent", color: "var(--pv-muted)", border: "0", paddingLeft: "8px" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": {
    background: "var(--pv-selected)",
  },
  "&.cm-focused .cm-matchingBracket": {
    background: "var(--pv-hover)",
    outline: "1px solid var(--pv-border)",
  },
  ".cm-foldPlaceholder": {
    background: "var(--pv-hover)",
    border: "0",
    color: "var(--pv-muted)",
    padding: "0 6px",
  },
  ".cm-tooltip": { background: "var(--pv-surface)", border: "1px solid var(--pv-border)" },
  ".cm-tooltip-autocomplete > ul > li[aria-selected]": {
    background: "var(--pv-selected)",
    color: "var(--pv-text)",
  },
  ".cm-panels": { background: "var(--pv-sunken)", color: "var(--pv-text)", borderColor: "var(--pv-border)" },
  ".cm-refused": { textDecoration: "underline wavy var(--pv-error)", textUnderlineOffset: "3px" },
  ".cm-searchMatch": { background: "var(--pv-match)" },
  ".cm-searchMatch-selected": { background: "var(--pv-match-now)" },
});
