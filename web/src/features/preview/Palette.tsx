import { Command } from "cmdk";
import { Dialog } from "../../shared/ui/Dialog";
import css from "./palette.module.css";

export interface PaletteAction {
  group: string;
  label: string;
  /** Shortcut, or what tells it from others. */
  note?: string;
  /** Offered whatever is typed: a list box without an option is none. */
  always?: boolean;
  run: () => void;
}

/** Everything that can be done here, by name. */
export default function Palette({
  actions,
  onClose,
}: {
  actions: readonly PaletteAction[];
  onClose: () => void;
}) {
  const groups = [...new Set(actions.map(({ group }) => group))];
  return (
    <Dialog title="Commands" onClose={onClose} wide>
      <Command className={css.palette} label="Commands" filter={matches}>
        <Command.Input className={css.input} placeholder="Type a command or an endpoint" data-autofocus />
        <Command.List className={css.list}>
          <Command.Empty className={css.empty}>Nothing is called that.</Command.Empty>
          {groups.map((group) => (
            <Command.Group key={group} heading={group} className={css.group}>
              {actions
                .filter((action) => action.group === group)
                .map((action) => (
                  <Command.Item
                    key={action.label}
                    value={action.label}
                    forceMount={action.always}
                    className={css.item}
                    onSelect={() => {
                      onClose();
                      action.run();
                    }}
                  >
                    <span className={css.label}>{action.label}</span>
                    {action.note && <span className={css.note}>{action.note}</span>}
                  </Command.Item>
                ))}
            </Command.Group>
          ))}
        </Command.List>
      </Command>
    </Dialog>
  );
}

/** Every word is somewhere in the name. */
function matches(name: string, typed: string): number {
  const text = name.toLowerCase();
  return typed
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word))
    ? 1
    : 0;
}
