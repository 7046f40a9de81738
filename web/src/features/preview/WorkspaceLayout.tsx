import { useIsMutating } from "@tanstack/react-query";
import { Maximize2, PanelBottomClose } from "lucide-react";
import { type CSSProperties, lazy, type ReactNode, Suspense, useEffect, useRef, useState } from "react";
import type { PreviewState } from "../../api/types";
import { isNumber, useRemembered } from "../../shared/lib/hooks";
import { classes, Toggle } from "../../shared/ui/Button";
import { Splitter } from "../../shared/ui/Splitter";
import { patchKey } from "../files/useFiles";
import { LogPanel } from "../logs/LogPanel";
import { BarTools } from "./BarTools";
import { MainPane } from "./MainPane";
import { Problems } from "./Problems";
import { paletteActions } from "./paletteActions";
import css from "./preview.module.css";
import { SidePane } from "./SidePane";
import { StatusBar } from "./StatusBar";
import { useShortcuts } from "./shortcuts";
import type { PreviewControls } from "./usePreview";
import { type Pane, useWorkspace } from "./useWorkspace";

const loadPalette = () => import("./Palette");
const Palette = lazy(loadPalette);
const ShortcutSheet = lazy(() => import("./ShortcutSheet"));
const ImportDialog = lazy(() => import("../requests/ImportDialog"));

const PANES: readonly [Pane, string][] = [
  ["endpoints", "Endpoints"],
  ["main", "Request"],
  ["logs", "Logs"],
];

/** How much of the tab the log takes: its own height, all of it, or its toolbar alone. */
type LogsSize = "split" | "max" | "min";

type Overlay = "palette" | "help" | "import" | null;

export interface WorkspaceProps {
  generationId: string;
  title: ReactNode;
  state: PreviewState;
  controls: PreviewControls;
  /** Why the state may be out of date. */
  offline: string | null;
}

/** The parts of the tab and where they are. */
export function WorkspaceLayout({ generationId, title, state, controls, offline }: WorkspaceProps) {
  const space = useWorkspace(generationId, state);
  const [listPx, setListPx] = useRemembered("layout.list", 280, isNumber);
  const [logsPx, setLogsPx] = useRemembered("layout.logs", 280, isNumber);
  const [logs, setLogs] = useState<LogsSize>("split");
  const [overlay, setOverlay] = useState<Overlay>(null);
  const screen = useRef<HTMLDivElement>(null);
  const filter = useRef<HTMLInputElement>(null);
  const close = () => setOverlay(null);
  // Whoever presses its key types on at once: it must not be on its way then.
  useEffect(() => void loadPalette(), []);
  const launch = () => controls.launch.mutate({});
  useShortcuts(screen, {
    palette: () => setOverlay("palette"),
    help: () => setOverlay("help"),
    filter: () => filter.current?.focus(),
  });

  const saving = useIsMutating({ mutationKey: patchKey(generationId) }) > 0;
  const style = { "--pv-list": `${listPx}px`, "--pv-logs": `${logsPx}px` } as CSSProperties;
  const onImport = () => setOverlay("import");
  return (
    <div
      ref={screen}
      className={css.screen}
      style={style}
      data-pane={space.pane}
      data-view={space.view.kind}
      data-logs={logs}
    >
      <StatusBar
        title={title}
        state={state}
        controls={controls}
        reloading={saving && state.phase === "running"}
        onLaunch={launch}
      >
        <BarTools onPalette={() => setOverlay("palette")} onHelp={() => setOverlay("help")} />
      </StatusBar>
      <PaneTabs pane={space.pane} onPane={space.setPane} />
      <Problems
        generationId={generationId}
        state={state}
        controls={controls}
        lookUp={space.lookUp}
        offline={offline}
      />
      <div className={css.upper}>
        <SidePane generationId={generationId} space={space} filterRef={filter} />
        <Splitter label="Width of the list" axis="x" size={listPx} min={200} max={520} onResize={setListPx} />
        <MainPane
          generationId={generationId}
          space={space}
          state={state}
          controls={controls}
          onLaunch={launch}
          onImport={onImport}
        />
      </div>
      <Splitter label="Height of the log" axis="y" size={logsPx} min={120} max={720} onResize={setLogsPx} />
      <LogPanel
        session={controls.session}
        target={space.target}
        className={css.logs}
        onRequest={space.lookUp.mutate}
        tools={<LogsSizeButtons size={logs} onSize={setLogs} />}
        empty={state.phase === "idle" ? "The log appears here once the preview is launched." : "No line yet."}
      />
      <Suspense>
        {overlay === "help" && <ShortcutSheet onClose={close} />}
        {overlay === "import" && (
          <ImportDialog
            onClose={close}
            onImport={(draft) => {
              space.openDraft(draft);
              close();
            }}
          />
        )}
        {overlay === "palette" && (
          <Palette
            onClose={close}
            actions={paletteActions({
              state,
              controls,
              space,
              onImport,
              onHelp: () => setOverlay("help"),
            })}
          />
        )}
      </Suspense>
    </div>
  );
}

function LogsSizeButtons({ size, onSize }: { size: LogsSize; onSize: (size: LogsSize) => void }) {
  const toggle = (to: LogsSize) => () => onSize(size === to ? "split" : to);
  return (
    <span className={css.logsSize}>
      <Toggle
        size="small"
        label="Maximise the log"
        on={size === "max"}
        icon={<Maximize2 size={14} />}
        onClick={toggle("max")}
      />
      <Toggle
        size="small"
        label="Collapse the log"
        on={size === "min"}
        icon={<PanelBottomClose size={15} />}
        onClick={toggle("min")}
      />
    </span>
  );
}

function PaneTabs({ pane, onPane }: { pane: Pane; onPane: (pane: Pane) => void }) {
  return (
    <nav className={css.panes} aria-label="Parts of the page">
      {PANES.map(([id, label]) => (
        <button
          key={id}
          type="button"
          aria-current={pane === id || undefined}
          className={classes(css.pane, pane === id && css.paneNow)}
          onClick={() => onPane(id)}
        >
          {label}
        </button>
      ))}
    </nav>
  );
}
