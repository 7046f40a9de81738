import type { PreviewState, PreviewStatus } from "../../api/types";

type Tone = "quiet" | "busy" | "ok" | "warn" | "error";

/** Seconds before expiry at which to warn. */
export const EXPIRY_WARNING_S = 300;

/** The one word for a state, and its colour. */
export function stateWord(state: PreviewState): { word: string; tone: Tone } {
  switch (state.phase) {
    case "idle":
      return { word: "Not launched", tone: "quiet" };
    case "launching":
      return { word: "Launching", tone: "busy" };
    case "running":
      if (state.preview.asleep) return { word: "Asleep", tone: "quiet" };
      return state.preview.healthStatus === "unhealthy"
        ? { word: "Unhealthy", tone: "warn" }
        : { word: "Running", tone: "ok" };
    case "failed":
      return { word: "Failed", tone: "error" };
    case "over":
      return { word: overWord(state.last.stopReason), tone: "quiet" };
  }
}

export function overWord(reason: string | null | undefined): string {
  return reason === "expired" ? "Expired" : "Stopped";
}

/** Why a preview is over, as a sentence. */
export function overSentence(reason: string | null | undefined): string {
  switch (reason) {
    case "expired":
      return "Its time was up. Launch it again for a new session.";
    case "idle":
      return "Nobody had used it for a while, so it was stopped.";
    case "crashed":
      return "Its process ended by itself.";
    case "launch_failed":
      return "It could not be started.";
    default:
      return "Its log stays readable below.";
  }
}

const FAILURES: Record<string, string> = {
  invalid_generation: "There is nothing to serve",
  dependency_install_failed: "A dependency could not be installed",
  import_failed: "The code could not be imported",
  exited: "The program ended",
  unhealthy: "It started, but does not serve",
  launch_timeout: "It never answered",
  out_of_memory: "It ran out of memory",
  host_failure: "This machine could not start it",
};

export function failureTitle(preview: PreviewStatus): string {
  const reason = preview.failure?.reason ?? "";
  return FAILURES[reason] ?? "The preview failed";
}
