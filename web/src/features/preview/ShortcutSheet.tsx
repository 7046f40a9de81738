import { Dialog } from "../../shared/ui/Dialog";
import css from "./palette.module.css";
import { SHORTCUTS } from "./shortcuts";

export default function ShortcutSheet({ onClose }: { onClose: () => void }) {
  return (
    <Dialog title="Keyboard shortcuts" onClose={onClose}>
      <dl className={css.sheet}>
        {SHORTCUTS.map(({ keys, does }) => (
          <ShortcutLine key={does} keys={keys} does={does} />
        ))}
      </dl>
    </Dialog>
  );
}

function ShortcutLine({ keys, does }: { keys: readonly string[]; does: string }) {
  return (
    <>
      <dt>
        {keys.map((key) => (
          <kbd key={key}>{key}</kbd>
        ))}
      </dt>
      <dd>{does}</dd>
    </>
  );
}
