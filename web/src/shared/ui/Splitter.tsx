import { type KeyboardEvent, type PointerEvent, useRef } from "react";
import css from "./ui.module.css";

export interface SplitterProps {
  label: string;
  /** Size in px of the part that it resizes. */
  size: number;
  min: number;
  max: number;
  /** `x`: a vertical bar, the part is on its left. `y`: a horizontal bar, the part is below it. */
  axis: "x" | "y";
  onResize: (size: number) => void;
}

const STEP = 24;

/** A bar to drag, or to move with the arrow keys. */
export function Splitter({ label, size, min, max, axis, onResize }: SplitterProps) {
  const start = useRef<{ at: number; size: number } | null>(null);
  const place = (event: PointerEvent) => (axis === "x" ? event.clientX : event.clientY);
  const set = (next: number) => onResize(Math.round(Math.min(max, Math.max(min, next))));
  const grows = axis === "x" ? 1 : -1;

  const onKeyDown = (event: KeyboardEvent) => {
    const more = axis === "x" ? "ArrowRight" : "ArrowUp";
    const less = axis === "x" ? "ArrowLeft" : "ArrowDown";
    const change = { [more]: STEP, [less]: -STEP, Home: min - size, End: max - size }[event.key];
    if (change === undefined) return;
    event.preventDefault();
    set(size + change);
  };
  return (
    // biome-ignore lint/a11y/useSemanticElements: an <hr> cannot be focused and moved.
    <div
      role="separator"
      tabIndex={0}
      aria-label={label}
      aria-orientation={axis === "x" ? "vertical" : "horizontal"}
      aria-valuenow={size}
      aria-valuemin={min}
      aria-valuemax={max}
      className={css[`splitter-${axis}`]}
      onKeyDown={onKeyDown}
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId);
        start.current = { at: place(event), size };
      }}
      onPointerMove={(event) => {
        if (start.current) set(start.current.size + grows * (place(event) - start.current.at));
      }}
      onPointerUp={() => {
        start.current = null;
      }}
    />
  );
}
