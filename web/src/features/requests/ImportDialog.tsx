import { useState } from "react";
import { Button } from "../../shared/ui/Button";
import { Callout } from "../../shared/ui/Callout";
import { Dialog } from "../../shared/ui/Dialog";
import type { Draft } from "./draft";
import css from "./import.module.css";
import { importCurl } from "./importCurl";

/** Takes a curl command line and makes a request of it, for this preview. */
export default function ImportDialog({
  onImport,
  onClose,
}: {
  onImport: (draft: Draft) => void;
  onClose: () => void;
}) {
  const [text, setText] = useState("");
  const [failed, setFailed] = useState(false);
  const take = () => {
    const draft = importCurl(text);
    setFailed(draft === null);
    if (draft !== null) onImport(draft);
  };
  const footer = (
    <>
      <Button onClick={onClose}>Cancel</Button>
      <Button look="primary" disabled={text.trim() === ""} onClick={take}>
        Import
      </Button>
    </>
  );
  return (
    <Dialog title="Import curl" onClose={onClose} footer={footer} wide>
      <div className={css.import}>
        <label>
          <span className={css.importHint}>
            Paste a curl command. Its address becomes the path here; the host does not matter.
          </span>
          <textarea
            className={css.importText}
            data-autofocus
            rows={8}
            value={text}
            spellCheck={false}
            placeholder="curl -X POST https://…/api/books -d '{…}'"
            onChange={(event) => setText(event.target.value)}
          />
        </label>
        {failed && (
          <Callout tone="warn" role="alert">
            This is not a curl command with an address.
          </Callout>
        )}
      </div>
    </Dialog>
  );
}
