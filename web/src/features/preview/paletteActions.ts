import type { PreviewState } from "../../api/types";
import type { PaletteAction } from "./Palette";
import type { PreviewControls } from "./usePreview";
import type { Workspace } from "./useWorkspace";

export interface PaletteContext {
  state: PreviewState;
  controls: PreviewControls;
  space: Workspace;
  onImport: () => void;
  onHelp: () => void;
}

/** What the palette offers now. */
export function paletteActions({
  state,
  controls,
  space,
  onImport,
  onHelp,
}: PaletteContext): PaletteAction[] {
  const { launch, stop, restart } = controls;
  const preview = (label: string, run: () => void): PaletteAction => ({ group: "Preview", label, run });
  const lifecycle =
    state.phase === "running"
      ? [preview("Stop", () => stop.mutate()), preview("Restart", () => restart.mutate())]
      : state.phase === "launching"
        ? [preview("Cancel the launch", () => stop.mutate())]
        : [preview("Launch", () => launch.mutate({}))];
  const endpoints = (space.endpoints ?? []).map((endpoint) => ({
    group: "Endpoints",
    label: `${endpoint.method} ${endpoint.path}`,
    note: endpoint.description,
    run: () => space.openEndpoint(endpoint),
  }));
  return [
    ...lifecycle,
    { group: "Requests", label: "Import curl", run: onImport },
    ...endpoints,
    { group: "Help", label: "Keyboard shortcuts", note: "?", always: true, run: onHelp },
  ];
}
