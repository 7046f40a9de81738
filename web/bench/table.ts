import { test } from "../e2e/fixtures";

interface Figure {
  what: string;
  value: number;
  unit: string;
  /** What it is to be at the most, or at least. */
  most?: number;
  least?: number;
}

/** Figures of a file, printed when it is done as docs/benchmarks.md has them. */
export function table(title: string): { add: (figure: Figure) => void } {
  const figures: Figure[] = [];
  test.afterAll(() => {
    const lines = [
      `${title}`,
      "",
      "| what | measured | reach |",
      "| --- | --- | --- |",
      ...figures.map(line),
    ];
    process.stdout.write(`\n${lines.join("\n")}\n\n`);
  });
  return { add: (figure) => figures.push(figure) };
}

function line({ what, value, unit, most, least }: Figure): string {
  const shown = `${value.toLocaleString("en", { maximumFractionDigits: 1 })} ${unit}`.trim();
  const bound = most ?? least;
  if (bound === undefined) return `| ${what} | ${shown} | - |`;
  const reached = most === undefined ? value >= bound : value <= bound;
  const told = `${bound.toLocaleString("en")}${most === undefined ? " at least" : ""}`;
  return `| ${what} | ${shown} | ${told}: ${reached ? "reached" : "not reached"} |`;
}
