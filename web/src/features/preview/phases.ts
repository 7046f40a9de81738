import type { LogItem } from "../logs/logStore";
import { isGap } from "../logs/logStore";

export type StepState = "done" | "now" | "ahead";

export interface LaunchStep {
  label: string;
  state: StepState;
  /** The newest line of the log that belongs to it. */
  detail: string | null;
}

const STEPS: readonly { label: string; sources: readonly string[] }[] = [
  { label: "Files", sources: ["server"] },
  { label: "Dependencies", sources: ["install"] },
  { label: "Start", sources: ["startup", "app"] },
  { label: "First answer", sources: ["request"] },
];

/** How far a launch is, read from its log: the furthest step that has said something is the current one. */
export function launchSteps(items: readonly LogItem[]): LaunchStep[] {
  const details = STEPS.map(() => null as string | null);
  let now = 0;
  for (const item of items) {
    if (isGap(item)) continue;
    const index = STEPS.findIndex(({ sources }) => sources.includes(item.source));
    if (index < 0) continue;
    details[index] = item.message.split("\n", 1)[0] ?? null;
    now = Math.max(now, index);
  }
  return STEPS.map(({ label }, index) => ({
    label,
    detail: details[index] ?? null,
    state: index < now ? "done" : index === now ? "now" : "ahead",
  }));
}
