import { lazy, Suspense, useEffect } from "react";
import type { PreviewState } from "../../api/types";
import css from "./preview.module.css";
import { StateCard } from "./StateCard";
import type { PreviewControls } from "./usePreview";
import type { Workspace } from "./useWorkspace";

const FileEditor = lazy(() => import("../files/FileEditor"));
const loadRequestPanel = () => import("../requests/RequestPanel");
const RequestPanel = lazy(loadRequestPanel);

export interface MainPaneProps {
  generationId: string;
  space: Workspace;
  state: PreviewState;
  controls: PreviewControls;
  onLaunch: () => void;
  onImport: () => void;
}

export function MainPane({ generationId, space, state, controls, onLaunch, onImport }: MainPaneProps) {
  const { view, workbench } = space;
  // It is what comes next: there before it is asked for, but not before the page.
  useEffect(() => void loadRequestPanel(), []);
  return (
    <div className={css.main}>
      <Suspense>{content()}</Suspense>
    </div>
  );

  function content() {
    switch (view.kind) {
      case "state":
        return (
          <div className={css.stage}>
            <StateCard
              generationId={generationId}
              state={state}
              controls={controls}
              session={controls.session}
              onLaunch={onLaunch}
              onOpenFile={space.openFile}
            />
          </div>
        );
      case "file":
        return (
          <FileEditor
            key={view.path}
            generationId={generationId}
            path={view.path}
            line={view.line}
            edited={space.edits[view.path]}
            onEdit={(text) => space.edit(view.path, text)}
            running={state.phase === "running"}
          />
        );
      case "request":
        return (
          <RequestPanel
            key={workbench.selected}
            workbench={workbench}
            endpoint={space.endpoint}
            endpoints={space.endpoints ?? []}
            state={state}
            onLaunch={onLaunch}
            onImport={onImport}
            onShowLogs={space.showLogs}
          />
        );
    }
  }
}
