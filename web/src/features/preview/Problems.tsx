import { messageOf } from "../../api/errors";
import type { PreviewState } from "../../api/types";
import { Button } from "../../shared/ui/Button";
import { Callout } from "../../shared/ui/Callout";
import { EndingSoon } from "./EndingSoon";
import { LaunchProblem } from "./LaunchProblem";
import css from "./preview.module.css";
import { useMakeRoom } from "./useMakeRoom";
import type { PreviewControls } from "./usePreview";
import type { Workspace } from "./useWorkspace";

export interface ProblemsProps {
  generationId: string;
  state: PreviewState;
  controls: PreviewControls;
  lookUp: Workspace["lookUp"];
  /** Why the state may be out of date. */
  offline: string | null;
}

/** Below the bar: what went wrong with what was asked for, and what is about to. Empty, it takes no room. */
export function Problems({ generationId, state, controls, lookUp, offline }: ProblemsProps) {
  const { other, makeRoom } = useMakeRoom(generationId, controls);
  const { launch, stop, restart } = controls;
  const failed = [stop, restart, makeRoom, lookUp].find(({ error }) => error !== null);
  return (
    <div className={css.problems}>
      {offline && <Callout tone="warn">{offline} Trying again.</Callout>}
      {state.phase === "running" && <EndingSoon preview={state.preview} controls={controls} />}
      {launch.error && (
        <LaunchProblem
          error={launch.error}
          other={other?.name ?? null}
          onMakeRoom={() => makeRoom.mutate()}
          onRestart={() => {
            launch.reset();
            restart.mutate();
          }}
          busy={makeRoom.isPending}
          onDismiss={launch.reset}
        />
      )}
      {failed && (
        <Callout
          tone="error"
          role="alert"
          actions={
            <Button size="small" look="quiet" onClick={failed.reset}>
              Dismiss
            </Button>
          }
        >
          {messageOf(failed.error)}
        </Callout>
      )}
    </div>
  );
}
