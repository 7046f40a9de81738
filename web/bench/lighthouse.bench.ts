import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { forget, GREETER, launched, project, test } from "../e2e/fixtures";
import { table } from "./table";

/** Too large to be a dependency for three numbers: fetched when it is wanted, or named by who has it. */
const LIGHTHOUSE = (process.env.LIGHTHOUSE ?? "npx --yes lighthouse@12.8.2").split(" ");
const CATEGORIES = ["performance", "accessibility", "best-practices"] as const;
const FLAGS = "--headless=new --no-sandbox --disable-gpu --disable-background-networking";

test.setTimeout(300_000);
const figures = table("Lighthouse");

interface Report {
  categories: Record<string, { score: number; auditRefs: { id: string; weight: number }[] }>;
  audits: Record<string, { score: number | null; title: string }>;
}

for (const [name, path] of [
  ["the list of projects", () => "/"],
  ["the tab of a running preview", (id: string) => `/g/${id}`],
] as const) {
  test(`Lighthouse: ${name}`, async ({ server, token }) => {
    test.skip(!(await isHere()), "Lighthouse is not here: see LIGHTHOUSE in docs/benchmarks.md");
    const id = await server.upload(token, "greeter", project(GREETER));
    await launched(server, token, id);
    const report = await audited(`${server.url}${path(id)}#token=${token}`);
    await forget(server, token, id);
    for (const category of CATEGORIES) {
      const { score, auditRefs } = report.categories[category] ?? { score: 0, auditRefs: [] };
      figures.add({ what: `${name}: ${category}`, value: Math.round(score * 100), unit: "", least: 95 });
      for (const { id: audit, weight } of auditRefs) {
        const { score: one, title } = report.audits[audit] ?? { score: null, title: audit };
        if (weight > 0 && one !== null && one < 0.9)
          process.stdout.write(`  ${category}: ${title} (${one})\n`);
      }
    }
  });
}

const [command = "npx", ...before] = LIGHTHOUSE;
const run = promisify(execFile);

async function isHere(): Promise<boolean> {
  return run(command, [...before, "--version"]).then(
    () => true,
    () => false,
  );
}

async function audited(url: string): Promise<Report> {
  const chromium = process.env.CHROMIUM ?? "/usr/bin/chromium";
  const how = ["--preset=desktop", "--output=json", "--quiet", `--only-categories=${CATEGORIES}`];
  const args = [...before, url, ...how, `--chrome-path=${chromium}`, `--chrome-flags=${FLAGS}`];
  const { stdout } = await run(command, args, { maxBuffer: 64 * 1024 * 1024 });
  return JSON.parse(stdout);
}
