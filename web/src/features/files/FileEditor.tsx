import { Save, Undo2 } from "lucide-react";
import { useRef, useState } from "react";
import { messageOf } from "../../api/errors";
import type { Failure, PatchResult } from "../../api/types";
import { Button } from "../../shared/ui/Button";
import { Callout } from "../../shared/ui/Callout";
import { Code } from "../../shared/ui/Code";
import { TextBox } from "../../shared/ui/TextBox";
import { plain } from "../logs/ansi";
import css from "./files.module.css";
import { languageOf } from "./tree";
import { useFileText, useSaveFile } from "./useFiles";

export interface FileEditorProps {
  generationId: string;
  path: string;
  /** Where to go in it. */
  line?: number | undefined;
  /** Its text as it was left, not saved. */
  edited: string | undefined;
  /** `null` once there is nothing that is not saved. */
  onEdit: (text: string | null) => void;
  /** Whether a preview runs, which saving would move to the new code. */
  running: boolean;
}

export default function FileEditor(props: FileEditorProps) {
  const { generationId, path } = props;
  const { data, error } = useFileText(generationId, path);
  if (error) return <p className={css.note}>{messageOf(error)}</p>;
  if (data === undefined) return <p className={css.note}>Reading {path}…</p>;
  if (data === null) return <p className={css.note}>{path} is not a text file.</p>;
  return <Editor {...props} saved={data} />;
}

function Editor(props: FileEditorProps & { saved: string }) {
  const { generationId, path, line, edited, onEdit, running, saved } = props;
  const text = edited ?? saved;
  const setText = (next: string) => onEdit(next === saved ? null : next);
  const [result, setResult] = useState<PatchResult | null>(null);
  const newest = useRef(text);
  newest.current = text;
  const save = useSaveFile(generationId, (result, sent) => {
    setResult(result);
    // What was typed meanwhile is not saved yet.
    if (newest.current === sent) onEdit(null);
  });
  const dirty = text !== saved;
  const onSave = () => {
    if (dirty && !save.isPending) save.mutate({ path, text });
  };
  return (
    <section className={css.editor} aria-label={path}>
      <header className={css.head}>
        <h2 className={css.path}>{path}</h2>
        <span role="status" className={css.state}>
          {dirty ? "Not saved" : ""}
        </span>
        {dirty && (
          <Button size="small" look="quiet" icon={<Undo2 size={14} />} onClick={() => setText(saved)}>
            Revert
          </Button>
        )}
        <Button
          size="small"
          look="primary"
          icon={<Save size={14} />}
          busy={save.isPending}
          disabled={!dirty}
          onClick={onSave}
          title="Save (Ctrl+S)"
        >
          {running ? "Save and reload" : "Save"}
        </Button>
      </header>
      {save.error && (
        <Callout tone="error" role="alert">
          {messageOf(save.error)}
        </Callout>
      )}
      {result && !save.error && !dirty && <Outcome result={result} running={running} />}
      <Code
        label={`Text of ${path}`}
        language={languageOf(path)}
        value={text}
        onChange={setText}
        onSave={onSave}
        line={line}
        className={css.code}
      />
    </section>
  );
}

/** What saving did: the preview runs the new code, or still the old and why, or nothing runs. */
function Outcome({ result, running }: { result: PatchResult; running: boolean }) {
  if (result.reloaded) {
    return (
      <Callout tone="ok" role="status">
        Saved. The preview runs the new code.
      </Callout>
    );
  }
  if (result.details) {
    return (
      <Callout tone="warn" role="alert">
        Saved, but the new code does not start, so the old goes on serving. {result.details.message}
        <Why failure={result.details} />
      </Callout>
    );
  }
  return (
    <Callout tone="ok" role="status">
      {running ? "Saved." : "Saved. The next launch runs it."}
    </Callout>
  );
}

/** The hint and the last lines of code that does not start. */
function Why({ failure: { hint, logTail } }: { failure: Failure }) {
  const tail = (logTail ?? []).map(plain).join("\n");
  return (
    <>
      {hint && <p className={css.hint}>{hint}</p>}
      {tail !== "" && <TextBox atEnd className={css.tail} label="Last lines of the new code" text={tail} />}
    </>
  );
}
