import { type RefObject, useLayoutEffect, useRef } from "react";

const command = /Mac|iP(hone|ad)/.test(globalThis.navigator?.platform ?? "") ? "⌘" : "Ctrl";

/** What the sheet lists. */
export const SHORTCUTS: readonly { keys: readonly string[]; does: string }[] = [
  { keys: [command, "K"], does: "Commands and endpoints" },
  { keys: [command, "Enter"], does: "Send the request" },
  { keys: [command, "S"], does: "Save the file" },
  { keys: [command, "F"], does: "Search the log, when it has the focus" },
  { keys: ["/"], does: "Filter the endpoints" },
  { keys: ["End"], does: "Follow the log again" },
  { keys: ["?"], does: "This list" },
];

interface ShortcutActions {
  palette: () => void;
  help: () => void;
  filter: () => void;
}

/** Listens within `scope`, or where nothing has the focus: an embedding page keeps its own keys. */
export function useShortcuts(scope: RefObject<HTMLElement | null>, actions: ShortcutActions): void {
  const newest = useRef(actions);
  newest.current = actions;
  // Whoever sees the page may press its keys.
  useLayoutEffect(() => {
    const onKeyDown = (event: KeyboardEvent) => {
      const target = event.target instanceof Element ? event.target : null;
      const ours = target === null || target === document.body || scope.current?.contains(target);
      if (!ours || event.defaultPrevented || event.isComposing) return;
      const action = actionFor(event, newest.current);
      if (action === null) return;
      event.preventDefault();
      action();
    };
    window.addEventListener("keydown", onKeyDown);
    return () => window.removeEventListener("keydown", onKeyDown);
  }, [scope]);
}

function actionFor(event: KeyboardEvent, actions: ShortcutActions): (() => void) | null {
  const held = event.ctrlKey || event.metaKey;
  if (held && event.key.toLowerCase() === "k") return actions.palette;
  if (held || event.altKey || isTyping(event)) return null;
  if (event.key === "?") return actions.help;
  return event.key === "/" ? actions.filter : null;
}

/** Single keys are off while something is being typed, in an editor's shadow root too. */
function isTyping(event: KeyboardEvent): boolean {
  const inner = event.composedPath()[0];
  return (
    inner instanceof HTMLElement &&
    (inner.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(inner.tagName))
  );
}
