import { useNow } from "../../shared/lib/hooks";
import { Button, classes } from "../../shared/ui/Button";
import type { StreamState } from "./logStream";
import css from "./logs.module.css";

const ENDINGS: Record<string, string> = {
  stopped: "stopped",
  expired: "expired",
  idle: "stopped: idle",
  crashed: "crashed",
  launch_failed: "launch failed",
  deleted: "deleted",
};

/** Whether the log is live, and if not, why. */
export function StreamBadge({ state, onRetry }: { state: StreamState; onRetry: () => void }) {
  const now = useNow(state.name === "retrying" ? 500 : null);
  const retry = (
    <Button size="small" look="quiet" onClick={onRetry}>
      Retry now
    </Button>
  );
  return (
    <span className={classes(css.badge, css[`stream-${state.name}`])}>
      <span className={css.dot} aria-hidden="true" />
      <span role="status">{words(state)}</span>
      {state.name === "retrying" && <span>{Math.max(0, Math.ceil((state.at - now) / 1000))} s</span>}
      {(state.name === "retrying" || state.name === "lost") && retry}
    </span>
  );
}

function words(state: StreamState): string {
  switch (state.name) {
    case "idle":
      return "Not started";
    case "connecting":
      return "Connecting";
    case "live":
      return "Live";
    case "retrying":
      return "Reconnecting in";
    case "ended":
      return state.reason ? `Ended (${ENDINGS[state.reason] ?? state.reason})` : "Ended";
    case "lost":
      return state.message;
  }
}
