import { expect, test } from "vitest";
import type { LogItem } from "../logs/logStore";
import { launchSteps } from "./phases";

const line = (id: number, source: string, message: string, stream = "system", second = id): LogItem => ({
  id,
  source,
  message,
  stream,
  level: "INFO",
  timestamp: new Date(second * 1_000).toISOString(),
});
const states = (...items: LogItem[]) => launchSteps(items).map(({ state }) => state);

test("a launch without a line yet is at its files", () => {
  expect(states()).toEqual(["now", "ahead", "ahead", "ahead"]);
});

test("the furthest step that has said something is the current one, with its newest line", () => {
  const steps = launchSteps([
    line(1, "install", "Resolved 23 packages"),
    line(2, "startup", "Starting app.main:app"),
    line(3, "install", "Compiled"),
  ]);
  expect(steps.map(({ state }) => state)).toEqual(["done", "done", "now", "ahead"]);
  expect(steps[2]?.detail).toBe("Starting app.main:app");
  expect(steps.map(({ ms }) => ms)).toEqual([null, 1_000, null, null]);
});

test("once the program itself speaks, only its first answer is missing", () => {
  expect(states(line(1, "startup", "INFO:     Started server process [2]", "stderr"))).toEqual([
    "done",
    "done",
    "done",
    "now",
  ]);
});
