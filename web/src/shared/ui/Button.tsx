import type { ButtonHTMLAttributes, ReactNode } from "react";
import css from "./ui.module.css";

export interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  /** One `primary` a view; `danger` for what cannot be undone. */
  look?: "primary" | "plain" | "quiet" | "danger";
  size?: "normal" | "small" | "large";
  icon?: ReactNode;
  /** Shows that its work is under way, and takes no clicks. */
  busy?: boolean;
}

export function Button(props: ButtonProps) {
  const { look = "plain", size = "normal", icon, busy = false, className, children, ...rest } = props;
  return (
    <button
      type="button"
      {...rest}
      disabled={rest.disabled || busy}
      aria-busy={busy || undefined}
      className={classes(css.button, css[look], css[size], className)}
    >
      {busy ? <Spinner /> : icon}
      {children !== undefined && <span className={css.label}>{children}</span>}
    </button>
  );
}

export interface IconButtonProps extends Omit<ButtonProps, "children"> {
  /** What it does: its name for assistive technology, and its tooltip. */
  label: string;
}

export function IconButton({ label, look = "quiet", className, ...rest }: IconButtonProps) {
  return (
    <Button
      {...rest}
      look={look}
      aria-label={label}
      title={label}
      className={classes(css.square, className)}
    />
  );
}

/** A button that is on or off. */
export function Toggle({ on, className, ...rest }: IconButtonProps & { on: boolean }) {
  return <IconButton {...rest} aria-pressed={on} className={classes(on && css.on, className)} />;
}

export function Spinner() {
  return <span className={css.spinner} aria-hidden="true" />;
}

/** Class names, without what is not there. */
export function classes(...names: (string | false | null | undefined)[]): string {
  return names.filter(Boolean).join(" ");
}
