import { Paperclip } from "lucide-react";
import { useRef, useState } from "react";
import { toBase64 } from "../../shared/lib/bytes";
import { bytes } from "../../shared/lib/format";
import { Button } from "../../shared/ui/Button";
import type { PickedFile } from "./draft";
import css from "./requests.module.css";

/** What a request may carry, told before the file is read. */
const MAX_BYTES = 10 * 1024 * 1024;

export interface FileInputProps {
  label: string;
  file: PickedFile | null;
  onPick: (file: PickedFile) => void;
}

export function FileInput({ label, file, onPick }: FileInputProps) {
  const input = useRef<HTMLInputElement>(null);
  const [problem, setProblem] = useState<string | null>(null);
  // What is typed elsewhere while the file is read stays.
  const newest = useRef(onPick);
  newest.current = onPick;
  const take = async (chosen: File | undefined) => {
    if (!chosen) return;
    setProblem(chosen.size > MAX_BYTES ? `${chosen.name} is over 10 MB.` : null);
    if (chosen.size > MAX_BYTES) return;
    const base64 = toBase64(new Uint8Array(await chosen.arrayBuffer()));
    newest.current({ name: chosen.name, type: chosen.type, size: chosen.size, base64 });
  };
  return (
    <span className={css.pick}>
      <input
        ref={input}
        type="file"
        hidden
        aria-label={label}
        onChange={(event) => void take(event.target.files?.[0])}
      />
      <Button size="small" icon={<Paperclip size={14} />} onClick={() => input.current?.click()}>
        {file ? "Change" : "Choose a file"}
      </Button>
      {problem ? (
        <span className={css.fieldError} role="alert">
          {problem}
        </span>
      ) : (
        file && (
          <span className={css.picked}>
            {file.name}, {bytes(file.size)}
          </span>
        )
      )}
    </span>
  );
}
