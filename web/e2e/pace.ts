import type { Page } from "@playwright/test";

/** Longest wait for an answer, and for the rest of a stream's piece: once in as long, or a long log would take minutes. */
const LATE_MS = 800;
const SLOWER = 4;

/**
 * Other machines' timing, to look for what depends on it: `E2E_PACE=late` has every answer and every piece of a stream come
 * a random while later, `E2E_PACE=slow` leaves the page a quarter of the processor. Nothing if neither is asked for.
 */
export async function paced(page: Page): Promise<void> {
  const pace = process.env.E2E_PACE ?? "";
  if (pace.includes("late")) await page.addInitScript(late, LATE_MS);
  if (!pace.includes("slow")) return;
  const session = await page.context().newCDPSession(page);
  await session.send("Emulation.setCPUThrottlingRate", { rate: SLOWER });
}

/** Runs in the page, before its scripts. */
function late(longest: number): void {
  const pause = () => new Promise((done) => setTimeout(done, Math.random() * longest));
  const fetched = window.fetch;
  let rested = 0;
  const inTwo = () =>
    new TransformStream<Uint8Array, Uint8Array>({
      async transform(piece, out) {
        const cut = Date.now() - rested < longest ? piece.length : Math.floor(Math.random() * piece.length);
        out.enqueue(piece.subarray(0, cut));
        if (cut === piece.length) return;
        await pause();
        rested = Date.now();
        out.enqueue(piece.subarray(cut));
      },
    });
  window.fetch = async (...asked) => {
    await pause();
    const answer = await fetched(...asked);
    await pause();
    const stream = answer.headers.get("content-type")?.startsWith("text/event-stream");
    return stream && answer.body ? new Response(answer.body.pipeThrough(inTwo()), answer) : answer;
  };
}
