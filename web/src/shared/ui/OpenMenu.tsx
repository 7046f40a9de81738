import { DropdownMenu } from "radix-ui";
import type { MenuProps } from "./Menu";
import { usePortalRoot } from "./Root";
import css from "./ui.module.css";

/** Not modal: a modal one locks scrolling with a style element, which our CSP forbids. */
export default function OpenMenu({ trigger, items }: MenuProps) {
  const container = usePortalRoot();
  return (
    <DropdownMenu.Root modal={false} defaultOpen>
      <DropdownMenu.Trigger asChild>{trigger}</DropdownMenu.Trigger>
      <DropdownMenu.Portal container={container}>
        <DropdownMenu.Content className={css.menu} align="end" sideOffset={4} collisionPadding={8}>
          {items.map((item) => (
            <DropdownMenu.Item
              key={item.label}
              className={css.menuItem}
              disabled={item.disabled}
              onSelect={item.onSelect}
            >
              {item.icon}
              <span>{item.label}</span>
              {item.note && <span className={css.note}>{item.note}</span>}
            </DropdownMenu.Item>
          ))}
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  );
}
