const FIRST_MS = 500;
const LONGEST_MS = 15_000;
/** A connection that lived this long was a good one: the next failure starts from the shortest wait. */
const GOOD_AFTER_MS = 10_000;

/** Waits between attempts: doubling, capped, with jitter so that many pages do not return at once. */
export class Backoff {
  private failures = 0;

  constructor(private readonly random: () => number = Math.random) {}

  /** Milliseconds to wait after a connection that was live for `livedMs` (0 if it never was). */
  next(livedMs: number): number {
    if (livedMs >= GOOD_AFTER_MS) this.failures = 0;
    const ceiling = Math.min(LONGEST_MS, FIRST_MS * 2 ** this.failures);
    this.failures += 1;
    return Math.round(ceiling * (0.5 + this.random() / 2));
  }
}
