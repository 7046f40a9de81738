import { Command, Keyboard } from "lucide-react";
import { IconButton } from "../../shared/ui/Button";
import css from "./preview.module.css";

/** Opens the palette and the list of shortcuts. */
export function BarTools({ onPalette, onHelp }: { onPalette: () => void; onHelp: () => void }) {
  return (
    <>
      <IconButton
        className={css.wideOnly}
        label="Commands (Ctrl+K)"
        icon={<Command size={16} />}
        onClick={onPalette}
      />
      <IconButton
        className={css.wideOnly}
        label="Keyboard shortcuts (?)"
        icon={<Keyboard size={16} />}
        onClick={onHelp}
      />
    </>
  );
}
