import { classes } from "./Button";
import css from "./code.module.css";

/** Text as it is, in a named region that scrolls and can be reached by keyboard. */
export function TextBox({ label, text, className }: { label: string; text: string; className?: string }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard.
    <section aria-label={label} tabIndex={0} className={classes(css.box, className)}>
      <pre>{text}</pre>
    </section>
  );
}
