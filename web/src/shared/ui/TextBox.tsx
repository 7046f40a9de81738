import { useEffect, useRef } from "react";
import { classes } from "./Button";
import css from "./code.module.css";

export interface TextBoxProps {
  label: string;
  text: string;
  className?: string;
  /** Shows its end first: the last line of a traceback says what happened. */
  atEnd?: boolean;
}

/** Text as it is, in a named region that scrolls and can be reached by keyboard. */
export function TextBox({ label, text, className, atEnd = false }: TextBoxProps) {
  const box = useRef<HTMLElement>(null);
  useEffect(() => {
    if (atEnd && box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [atEnd]);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard.
    <section ref={box} aria-label={label} tabIndex={0} className={classes(css.box, className)}>
      <pre>{text}</pre>
    </section>
  );
}
