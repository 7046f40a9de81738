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

const CodeMirror = lazy(() => import("./CodeMirror"));

/** An editor, loaded when first needed; until then the same text, plain. */
export function Code(props: CodeProps) {
  const plain = <pre className={css.plain}>{props.value}</pre>;
  return (
    <div className={classes(css.frame, props.className)}>
      <Suspense fallback={plain}>
        <CodeMirror {...props} />
      </Suspense>
    </div>
  );
}
