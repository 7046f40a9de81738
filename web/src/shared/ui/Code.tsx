import { lazy, Suspense } from "react";
import { classes } from "./Button";
import css from "./code.module.css";
import type { Refused } from "./refused";

export interface CodeProps {
  label: string;
  language: "json" | "python" | "text";
  value: string;
  onChange?: (value: string) => void;
  /** Ctrl/Cmd+Enter. */
  onSubmit?: () => void;
  /** Ctrl/Cmd+S. */
  onSave?: () => void;
  readOnly?: boolean;
  /** Put in view, with the cursor in it. */
  line?: number | undefined;
  /** Offered while typing. */
  words?: readonly string[];
  /** Parts of a JSON text that were refused. */
  refused?: readonly Refused[];
  className?: string;
}

const Plain = ({ value }: CodeProps) => <pre className={css.plain}>{value}</pre>;

/** A server that is gone for a moment takes away the editor, not the page. */
const CodeMirror = lazy(() => import("./CodeMirror").catch(() => ({ default: Plain })));

/** An editor, loaded when first needed; until then the same text, plain. */
export function Code(props: CodeProps) {
  return (
    <div className={classes(css.frame, props.className)}>
      <Suspense fallback={<Plain {...props} />}>
        <CodeMirror {...props} />
      </Suspense>
    </div>
  );
}
