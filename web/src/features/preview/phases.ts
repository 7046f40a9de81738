import type { LogLine } from "../../api/types";
import { isGap, type LogItem } from "../logs/logStore";
import { shownText } from "../logs/shownText";

type StepState = "done" | "now" | "ahead";

export interface LaunchStep {
  label: string;
  state: StepState;
  /** The newest line of the log that belongs to it. */
  detail: string | null;
  /** How long it took, once it is done. */
  ms: number | null;
}

/** In the order in which they happen, each with the lines that say that it has begun. */
const STEPS: readonly { label: string; begunBy: (line: LogLine) => boolean }[] = [
  { label: "Files", begunBy: ({ source }) => source === "server" },
  { label: "Dependencies", begunBy: ({ source }) => source === "install" },
  { label: "Start", begunBy: ({ source, stream }) => source === "startup" && stream === "system" },
  { label: "First answer", begunBy: ({ source, stream }) => source === "startup" && stream !== "system" },
];

/** How far a launch is, read from its log: the furthest step that has said something is the current one. */
export function launchSteps(items: readonly LogItem[]): LaunchStep[] {
  const details = STEPS.map(() => null as string | null);
  const begunAt = STEPS.map(() => null as number | null);
  let now = 0;
  for (const item of items) {
    if (isGap(item)) continue;
    const begun = STEPS.findIndex(({ begunBy }) => begunBy(item));
    // What the application itself prints belongs to the step that it is in.
    const index = begun < 0 ? now : begun;
    details[index] = shownText(item).split("\n", 1)[0] ?? null;
    now = Math.max(now, index);
    begunAt[index] ??= Date.parse(item.timestamp);
  }
  return STEPS.map(({ label }, index) => ({
    label,
    detail: details[index] ?? null,
    state: index < now ? "done" : index === now ? "now" : "ahead",
    ms: index < now ? between(begunAt, index) : null,
  }));
}

/** From the beginning of a step to that of the next one that began. */
function between(begunAt: readonly (number | null)[], index: number): number | null {
  const begun = begunAt[index] ?? null;
  const next = begunAt.slice(index + 1).find((at) => at !== null) ?? null;
  return begun === null || next === null ? null : Math.max(0, next - begun);
}
