import { ApiError, isCode, messageOf } from "../../api/errors";
import { Button } from "../../shared/ui/Button";
import { Callout } from "../../shared/ui/Callout";

export interface LaunchProblemProps {
  error: unknown;
  /** Name of the preview that could make room. */
  other: string | null;
  /** Stops that one, and launches. */
  onMakeRoom: () => void;
  busy: boolean;
  onDismiss: () => void;
}

/** Why a launch was refused; offers to stop the other preview where that is what helps. */
export function LaunchProblem({ error, other, onMakeRoom, busy, onDismiss }: LaunchProblemProps) {
  const full = isCode(error, "preview_limit_reached");
  return (
    <Callout
      tone={full ? "warn" : "error"}
      role="alert"
      actions={
        <>
          {other !== null && (
            <Button size="small" look="primary" busy={busy} onClick={onMakeRoom}>
              Stop “{other}” and launch
            </Button>
          )}
          <Button size="small" look="quiet" onClick={onDismiss}>
            Dismiss
          </Button>
        </>
      }
    >
      {messageOf(error)}
      {missing(error)}
    </Callout>
  );
}

function missing(error: unknown): string {
  const files = error instanceof ApiError ? error.details.missingFiles : undefined;
  return Array.isArray(files) && files.length > 0 ? ` Missing: ${files.join(", ")}.` : "";
}
