import { Check, Circle, FileCode, Play } from "lucide-react";
import { useSyncExternalStore } from "react";
import type { PreviewState, PreviewStatus } from "../../api/types";
import { clock, milliseconds } from "../../shared/lib/format";
import { useNow } from "../../shared/lib/hooks";
import { Button, classes, Spinner } from "../../shared/ui/Button";
import { Callout } from "../../shared/ui/Callout";
import { CopyButton } from "../../shared/ui/CopyButton";
import { TextBox } from "../../shared/ui/TextBox";
import { plain } from "../logs/ansi";
import type { LogSession } from "../logs/logSession";
import { placeOf } from "./blame";
import { type LaunchStep, launchSteps } from "./phases";
import css from "./preview.module.css";
import { useGeneration } from "./useGeneration";
import type { PreviewControls } from "./usePreview";
import { failureTitle, overSentence, overWord } from "./words";

export interface StateCardProps {
  generationId: string;
  state: PreviewState;
  controls: PreviewControls;
  session: LogSession;
  onLaunch: () => void;
  onOpenFile: (path: string, line: number) => void;
}

/** What is shown in the middle while there is no running preview to send requests to. */
export function StateCard(props: StateCardProps) {
  const { generationId, state, controls, session, onLaunch, onOpenFile } = props;
  switch (state.phase) {
    case "idle":
      return (
        <Card title="Try this backend">
          <p className={css.lead}>
            Launching installs its dependencies and starts it in a sandbox of its own, with a fresh database.
          </p>
          <Warnings generationId={generationId} />
          <LaunchButton label="Launch" controls={controls} onLaunch={onLaunch} />
        </Card>
      );
    case "launching":
      return <Launching session={session} controls={controls} since={state.preview.createdAt} />;
    case "running":
      return (
        <Card title="It is running">
          <p className={css.lead}>Choose an endpoint on the left to send it a request.</p>
        </Card>
      );
    case "failed":
      return (
        <Failed preview={state.preview} controls={controls} onLaunch={onLaunch} onOpenFile={onOpenFile} />
      );
    case "over":
      return (
        <Card title={overWord(state.last.stopReason)}>
          <p className={css.lead}>{overSentence(state.last.stopReason)}</p>
          <LaunchButton label="Relaunch" controls={controls} onLaunch={onLaunch} />
        </Card>
      );
  }
}

function Card({ title, children }: { title: string; children: React.ReactNode }) {
  return (
    <section className={css.card} aria-label={title}>
      <h2>{title}</h2>
      {children}
    </section>
  );
}

/** What of the files will keep it from starting, or should be known before. */
function Warnings({ generationId }: { generationId: string }) {
  const { data } = useGeneration(generationId);
  const warnings = data?.warnings ?? [];
  if (warnings.length === 0) return null;
  return (
    <Callout tone="warn">
      <ul className={css.warnings} aria-label="Before you launch">
        {warnings.map((warning) => (
          <li key={warning}>{warning}</li>
        ))}
      </ul>
    </Callout>
  );
}

interface LaunchButtonProps {
  label: string;
  controls: PreviewControls;
  onLaunch: () => void;
}

function LaunchButton({ label, controls, onLaunch }: LaunchButtonProps) {
  return (
    <Button
      look="primary"
      size="large"
      icon={<Play size={16} />}
      busy={controls.launch.isPending}
      onClick={onLaunch}
    >
      {label}
    </Button>
  );
}

function Launching({
  session,
  controls,
  since,
}: Pick<StateCardProps, "session" | "controls"> & { since: string }) {
  const seconds = (useNow(1_000) - Date.parse(since)) / 1_000;
  const { items } = useSyncExternalStore(session.store.subscribe, session.store.getSnapshot);
  return (
    <Card title="Launching">
      <ol className={css.steps}>
        {launchSteps(items).map((step) => (
          <Step key={step.label} step={step} />
        ))}
      </ol>
      <div className={css.cardActions}>
        <Button busy={controls.stop.isPending} onClick={() => controls.stop.mutate()}>
          Cancel
        </Button>
        <span className={css.elapsed}>{clock(seconds)}</span>
      </div>
    </Card>
  );
}

const STEP_WORDS = { done: "done", now: "under way", ahead: "not yet" } as const;

function Step({ step }: { step: LaunchStep }) {
  const icon = {
    done: <Check size={16} aria-hidden="true" />,
    now: <Spinner />,
    ahead: <Circle size={16} aria-hidden="true" />,
  }[step.state];
  return (
    <li className={classes(css.step, css[`step-${step.state}`])}>
      {icon}
      <span>{step.label}</span>
      <span className="pv-sr-only">{STEP_WORDS[step.state]}</span>
      <span className={css.detail}>
        {step.state === "now" && step.detail && plain(step.detail)}
        {step.ms !== null && milliseconds(step.ms)}
      </span>
    </li>
  );
}

function Failed({
  preview,
  controls,
  onLaunch,
  onOpenFile,
}: { preview: PreviewStatus } & Pick<StateCardProps, "controls" | "onLaunch" | "onOpenFile">) {
  const { failure } = preview;
  const message = failure?.message ?? preview.errorMessage ?? "No reason was given.";
  const tail = (failure?.logTail ?? []).map(plain);
  const place = placeOf(tail);
  const ending = endingOf(preview);
  const text = [failureTitle(preview), message, failure?.hint, ending, tail.join("\n")]
    .filter(Boolean)
    .join("\n\n");
  return (
    <section className={classes(css.card, css.failure)} aria-label="Failure">
      <h2>{failureTitle(preview)}</h2>
      <p className={css.lead}>{message}</p>
      {ending && <p className={css.ending}>{ending}</p>}
      {failure?.hint && <Callout tone="info">{failure.hint}</Callout>}
      {tail.length > 0 && (
        <TextBox atEnd className={css.tail} label="Last lines of the program" text={tail.join("\n")} />
      )}
      <div className={css.cardActions}>
        <LaunchButton label="Retry" controls={controls} onLaunch={onLaunch} />
        {place && (
          <Button icon={<FileCode size={14} />} onClick={() => onOpenFile(place.path, place.line)}>
            Open {place.path}:{place.line}
          </Button>
        )}
        <CopyButton text={() => text}>Copy error</CopyButton>
      </div>
    </section>
  );
}

function endingOf({ failure }: PreviewStatus): string | null {
  if (failure?.signal) return `It was ended by ${failure.signal}.`;
  return failure?.exitCode === undefined || failure.exitCode === null
    ? null
    : `It exited with status ${failure.exitCode}.`;
}
