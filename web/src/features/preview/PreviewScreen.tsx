import { useQuery } from "@tanstack/react-query";
import { type ReactNode, useEffect, useRef, useState } from "react";
import { useApi } from "../../api/context";
import { ApiError, messageOf } from "../../api/errors";
import type { Endpoint, PreviewState, ProxyResponse } from "../../api/types";
import { isNumber, useRemembered } from "../../shared/lib/hooks";
import { Button, classes } from "../../shared/ui/Button";
import { Callout } from "../../shared/ui/Callout";
import { Splitter } from "../../shared/ui/Splitter";
import { EndpointList } from "../endpoints/EndpointList";
import { firstEndpoint } from "../endpoints/grouping";
import { LogPanel } from "../logs/LogPanel";
import { RequestPanel } from "../requests/RequestPanel";
import { endpointKey, useWorkbench } from "../requests/useWorkbench";
import { LaunchProblem } from "./LaunchProblem";
import css from "./preview.module.css";
import { StateCard } from "./StateCard";
import { StatusBar } from "./StatusBar";
import { useMakeRoom } from "./useMakeRoom";
import { type PreviewControls, usePreview } from "./usePreview";

type Pane = "logs" | "requests" | "endpoints";
const PANES: readonly [Pane, string][] = [
  ["endpoints", "Endpoints"],
  ["requests", "Request"],
  ["logs", "Logs"],
];

export function PreviewScreen({ generationId, title }: { generationId: string; title: ReactNode }) {
  const controls = usePreview(generationId);
  const { state, error } = controls;
  if (state === null) return error === null ? <Loading /> : <Unreachable error={error} />;
  return <Workspace generationId={generationId} title={title} state={state} controls={controls} />;
}

interface WorkspaceProps {
  generationId: string;
  title: ReactNode;
  state: PreviewState;
  controls: PreviewControls;
}

function Workspace({ generationId, title, state, controls }: WorkspaceProps) {
  const { launch, session } = controls;
  const makeRoom = useMakeRoom(generationId, controls);
  const workbench = useWorkbench(generationId);
  const { endpoints, error } = useEndpoints(generationId, state);
  const [overview, setOverview] = useState(true);
  const [pane, setPane] = useState<Pane>("requests");
  const [target, setTarget] = useState<{ id: number } | null>(lineOfAddress);
  const [listPx, setListPx] = useRemembered("layout.list", 280, isNumber);
  const [logsPx, setLogsPx] = useRemembered("layout.logs", 280, isNumber);

  const select = (endpoint: Endpoint) => {
    workbench.select(endpoint);
    setOverview(false);
    setPane("requests");
  };
  useOverview(
    state,
    (show) => {
      const first = firstEndpoint(endpoints ?? []);
      if (!show && workbench.selected === "" && first) workbench.select(first);
      setOverview(show);
    },
    endpoints !== null,
  );

  const onLaunch = () => launch.mutate({});
  const showLogs = (response: ProxyResponse) => {
    const line = session.store
      .getSnapshot()
      .items.findLast((item) => "requestId" in item && item.requestId === response.requestId);
    if (line && "id" in line) setTarget({ id: line.id });
    setPane("logs");
  };
  const selected = endpoints?.find((endpoint) => endpointKey(endpoint) === workbench.selected) ?? null;
  const style = { "--pv-list": `${listPx}px`, "--pv-logs": `${logsPx}px` } as React.CSSProperties;
  return (
    <div className={css.screen} style={style} data-pane={pane}>
      <StatusBar title={title} state={state} controls={controls} onLaunch={onLaunch} />
      <PaneTabs pane={pane} onPane={setPane} />
      {launch.error && (
        <div className={css.problem}>
          <LaunchProblem
            error={launch.error}
            onMakeRoom={() => makeRoom.mutate()}
            busy={makeRoom.isPending}
            onDismiss={launch.reset}
          />
        </div>
      )}
      <div className={css.upper}>
        <aside className={css.list} aria-label="Endpoints of this backend">
          <EndpointList
            endpoints={endpoints}
            error={error && messageOf(error)}
            selected={overview ? "" : workbench.selected}
            onSelect={select}
          />
        </aside>
        <Splitter
          label="Width of the endpoints"
          axis="x"
          size={listPx}
          min={200}
          max={520}
          onResize={setListPx}
        />
        <div className={css.main}>
          {overview || workbench.selected === "" ? (
            <div className={css.stage}>
              <StateCard state={state} controls={controls} session={session} onLaunch={onLaunch} />
            </div>
          ) : (
            <RequestPanel
              key={workbench.selected}
              workbench={workbench}
              endpoint={selected}
              state={state}
              onLaunch={onLaunch}
              onImport={() => {}}
              onShowLogs={showLogs}
            />
          )}
        </div>
      </div>
      <Splitter label="Height of the log" axis="y" size={logsPx} min={120} max={720} onResize={setLogsPx} />
      <LogPanel
        session={session}
        target={target}
        className={css.logs}
        empty={
          state.phase === "idle"
            ? "The log appears here once the preview is launched."
            : "Waiting for the first line."
        }
      />
    </div>
  );
}

/** Shows the card of a state when it is entered, and the request form once the preview runs. */
function useOverview(state: PreviewState, show: (overview: boolean) => void, ready: boolean) {
  const settled = useRef("");
  useEffect(() => {
    const now = `${state.phase} ${ready}`;
    if (settled.current === now) return;
    settled.current = now;
    if (state.phase !== "running") show(true);
    else if (ready) show(false);
  });
}

function useEndpoints(generationId: string, state: PreviewState) {
  const api = useApi();
  // A running preview's own OpenAPI document knows more than its source.
  const version =
    state.phase === "running" ? `${state.preview.previewInstanceId} ${state.preview.revision}` : "source";
  const query = useQuery({
    queryKey: ["endpoints", generationId, version],
    queryFn: () => api.endpoints(generationId),
    placeholderData: (before) => before,
    staleTime: 60_000,
  });
  return { endpoints: query.data?.endpoints ?? null, error: query.error };
}

/** The line that the address names: `#L1201`. */
function lineOfAddress(): { id: number } | null {
  const id = /^#L(\d+)$/.exec(window.location.hash)?.[1];
  return id === undefined ? null : { id: Number(id) };
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

function Loading() {
  return (
    <p className={css.loading} role="status">
      Loading…
    </p>
  );
}

function Unreachable({ error }: { error: unknown }) {
  const known = error instanceof ApiError ? error : null;
  const title =
    known?.status === 403 ? "Not yours" : known?.status === 404 ? "Not found" : "Something is in the way";
  return (
    <section className={css.stage} aria-label={title}>
      <div className={css.card}>
        <h2>{title}</h2>
        <Callout tone="error" role="alert">
          {messageOf(error)}
        </Callout>
        <Button onClick={() => window.location.reload()}>Try again</Button>
      </div>
    </section>
  );
}
