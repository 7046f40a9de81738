import { AlertTriangle, CheckCircle2, Info, XCircle } from "lucide-react";
import type { ReactNode } from "react";
import { classes } from "./Button";
import css from "./ui.module.css";

const ICONS = { info: Info, ok: CheckCircle2, warn: AlertTriangle, error: XCircle };

export interface CalloutProps {
  tone: keyof typeof ICONS;
  children: ReactNode;
  /** Buttons at its end. */
  actions?: ReactNode;
  /** Announced when it appears: `alert` interrupts, `status` waits. */
  role?: "alert" | "status";
}

/** A message in the page, with what can be done about it. */
export function Callout({ tone, children, actions, role }: CalloutProps) {
  const Icon = ICONS[tone];
  return (
    <div className={classes(css.callout, css[`tone-${tone}`])} role={role}>
      <Icon size={16} aria-hidden="true" />
      <div className={css.calloutText}>{children}</div>
      {actions && <div className={css.calloutActions}>{actions}</div>}
    </div>
  );
}
