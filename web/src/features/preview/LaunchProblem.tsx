import { ApiError, isCode, messageOf } from "../../api/errors";
import { Button } from "../../shared/ui/Button";
import { Callout } from "../../shared/ui/Callout";

export interface LaunchProblemProps {
  error: unknown;
  /** Name of the preview that could make room. */
  other: string | null;
  /** Stops that one, and launches. */
  onMakeRoom: () => void;
  /** Stops the preview that is already there, and launches. */
  onRestart: () => void;
  busy: boolean;
  onDismiss: () => void;
}

/** Why a launch was refused; offers to stop the other preview where that is what helps. */
export function LaunchProblem(props: LaunchProblemProps) {
  const { error, other, onMakeRoom, onRestart, busy, onDismiss } = props;
  const conflict = isCode(error, "preview_limit_reached", "preview_already_running");
  return (
    <Callout
      tone={conflict ? "warn" : "error"}
      role="alert"
      actions={
        <>
          {other !== null && (
            <Button size="small" look="primary" busy={busy} onClick={onMakeRoom}>
              Stop “{other}” and launch
            </Button>
          )}
          {isCode(error, "preview_already_running") && (
            <Button size="small" look="primary" onClick={onRestart}>
              Stop it and launch anew
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
