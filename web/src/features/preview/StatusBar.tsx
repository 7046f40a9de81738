import { ExternalLink, Moon, Play, RotateCcw, Square, Sun, SunMoon, X } from "lucide-react";
import type { ReactNode } from "react";
import type { PreviewState, PreviewStatus } from "../../api/types";
import { bytes, clock } from "../../shared/lib/format";
import { useNow } from "../../shared/lib/hooks";
import { Button, classes, IconButton } from "../../shared/ui/Button";
import { Menu } from "../../shared/ui/Menu";
import { type Theme, useTheme } from "../../shared/ui/theme";
import css from "./preview.module.css";
import type { PreviewControls } from "./usePreview";
import { EXPIRY_WARNING_S, stateWord } from "./words";

export interface StatusBarProps {
  /** Name of the generation, or what a host puts in its place. */
  title: ReactNode;
  state: PreviewState;
  controls: PreviewControls;
  /** Whether a saved file is being put into service. */
  reloading: boolean;
  onLaunch: () => void;
  /** More buttons, at the end. */
  children?: ReactNode;
}

export function StatusBar({ title, state, controls, reloading, onLaunch, children }: StatusBarProps) {
  const { word, tone } = reloading ? RELOADING : stateWord(state);
  return (
    <header className={css.bar}>
      <div className={css.title}>{title}</div>
      <p className={classes(css.state, css[`tone-${tone}`])} role="status">
        <span className={css.dot} aria-hidden="true" />
        {word}
      </p>
      {state.phase === "running" && <Vitals preview={state.preview} />}
      <div className={css.actions}>
        <Actions state={state} controls={controls} onLaunch={onLaunch} />
        <span className={css.divider} aria-hidden="true" />
        {children}
        <ThemeMenu />
      </div>
    </header>
  );
}

const RELOADING = { word: "Reloading", tone: "busy" } as const;

function Vitals({ preview }: { preview: PreviewStatus }) {
  const now = useNow(1_000);
  const left = (Date.parse(preview.expiresAt) - now) / 1000;
  const up = preview.startedAt ? (now - Date.parse(preview.startedAt)) / 1000 : preview.uptime;
  const health = HEALTH[preview.healthStatus];
  return (
    <dl className={css.vitals}>
      {health && (
        <Vital
          name="Health"
          value={health}
          warn={preview.healthStatus === "unhealthy"}
          className={css.optional}
        />
      )}
      <Vital name="Up" value={clock(up)} className={css.secondary} />
      <Vital name="Expires in" value={clock(left)} warn={left < EXPIRY_WARNING_S} className={css.left} />
      {preview.memoryBytes ? (
        <Vital name="Memory" value={bytes(preview.memoryBytes)} className={css.optional} />
      ) : null}
    </dl>
  );
}

/** What its health route says; an application without one has no health to tell. */
const HEALTH: Record<PreviewStatus["healthStatus"], string | null> = {
  unknown: null,
  healthy: "ok",
  unhealthy: "failing",
};

function Vital({
  name,
  value,
  warn,
  className,
}: {
  name: string;
  value: string;
  warn?: boolean;
  className?: string;
}) {
  return (
    <div className={classes(warn && css.expiring, className)}>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}

function Actions({ state, controls, onLaunch }: Pick<StatusBarProps, "state" | "controls" | "onLaunch">) {
  const { launch, stop, restart } = controls;
  if (state.phase === "launching") {
    return (
      <Button
        key="cancel"
        className={css.elsewhere}
        icon={<X size={14} />}
        busy={stop.isPending}
        onClick={() => stop.mutate()}
      >
        Cancel
      </Button>
    );
  }
  if (state.phase !== "running") {
    return (
      <Button
        key="launch"
        className={css.elsewhere}
        icon={<Play size={14} />}
        busy={launch.isPending}
        onClick={onLaunch}
      >
        {state.phase === "idle" ? "Launch" : state.phase === "failed" ? "Retry" : "Relaunch"}
      </Button>
    );
  }
  return (
    <>
      <Button
        className={css.worded}
        icon={<ExternalLink size={14} />}
        onClick={() => window.open(openUrl(state.preview), "_blank", "noopener")}
        title="Open the preview at its own address"
      >
        Open
      </Button>
      <Button
        className={css.worded}
        icon={<RotateCcw size={14} />}
        busy={restart.isPending}
        onClick={() => restart.mutate()}
        title="Stop it and launch it again, with a fresh database"
      >
        Restart
      </Button>
      <Button
        className={css.worded}
        icon={<Square size={14} />}
        busy={stop.isPending}
        onClick={() => stop.mutate()}
      >
        Stop
      </Button>
    </>
  );
}

/** The preview's own origin, with its token once: the gateway trades it for a cookie. */
function openUrl(preview: PreviewStatus): string {
  const url = new URL(preview.baseUrl ?? "", window.location.href);
  if (preview.previewToken) url.searchParams.set("preview_token", preview.previewToken);
  return url.toString();
}

const THEMES: readonly { theme: Theme; label: string; icon: ReactNode }[] = [
  { theme: "system", label: "System theme", icon: <SunMoon size={14} /> },
  { theme: "light", label: "Light", icon: <Sun size={14} /> },
  { theme: "dark", label: "Dark", icon: <Moon size={14} /> },
];

export function ThemeMenu() {
  const { theme, setTheme } = useTheme();
  return (
    <Menu
      trigger={<IconButton label="Theme" icon={<SunMoon size={16} />} />}
      items={THEMES.map((choice) => ({
        label: choice.label,
        icon: choice.icon,
        note: choice.theme === theme ? "✓" : undefined,
        onSelect: () => setTheme(choice.theme),
      }))}
    />
  );
}
