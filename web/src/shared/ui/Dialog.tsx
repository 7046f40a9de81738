import { X } from "lucide-react";
import { type ReactNode, useEffect, useRef } from "react";
import { Button, classes, IconButton } from "./Button";
import css from "./ui.module.css";

export interface DialogProps {
  title: string;
  onClose: () => void;
  children: ReactNode;
  /** Buttons at the bottom, the one that acts last. */
  footer?: ReactNode;
  wide?: boolean;
}

/** The browser's own modal dialog: focus stays inside, Esc closes, focus returns. */
export function Dialog({ title, onClose, children, footer, wide = false }: DialogProps) {
  const ref = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const dialog = ref.current;
    const opener = document.activeElement;
    dialog?.showModal();
    // The browser would take the first button, which closes it.
    dialog?.querySelector<HTMLElement>("[data-autofocus]")?.focus();
    return () => {
      dialog?.close();
      if (opener instanceof HTMLElement && opener.isConnected) opener.focus();
    };
  }, []);
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: Esc closes by itself; the click is the backdrop's.
    <dialog
      ref={ref}
      className={classes(css.dialog, wide && css.wide)}
      aria-label={title}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onClick={(event) => event.target === ref.current && onClose()}
    >
      <div className={css.dialogBody}>
        <header className={css.dialogHead}>
          <h2>{title}</h2>
          <IconButton label="Close" icon={<X size={16} />} onClick={onClose} />
        </header>
        {children}
        {footer && <footer className={css.dialogFoot}>{footer}</footer>}
      </div>
    </dialog>
  );
}

export interface ConfirmProps {
  title: string;
  /** What will happen. */
  children: ReactNode;
  action: string;
  busy?: boolean;
  onConfirm: () => void;
  onClose: () => void;
}

export function Confirm({ title, children, action, busy, onConfirm, onClose }: ConfirmProps) {
  const footer = (
    <>
      <Button onClick={onClose}>Cancel</Button>
      <Button look="danger" busy={busy} onClick={onConfirm}>
        {action}
      </Button>
    </>
  );
  return (
    <Dialog title={title} onClose={onClose} footer={footer}>
      <div className={css.dialogText}>{children}</div>
    </Dialog>
  );
}
