import type { PreviewState } from "../../api/types";
import { FileEditor } from "../files/FileEditor";
import { RequestPanel } from "../requests/RequestPanel";
import css from "./preview.module.css";
import { StateCard } from "./StateCard";
import type { PreviewControls } from "./usePreview";
import type { Workspace } from "./useWorkspace";

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
  return <div className={css.main}>{content()}</div>;

  function content() {
    switch (view.kind) {
      case "state":
        return (
          <div className={css.stage}>
            <StateCard state={state} controls={controls} session={controls.session} onLaunch={onLaunch} />
          </div>
        );
      case "file":
        return (
          <FileEditor
            key={view.path}
            generationId={generationId}
            path={view.path}
            running={state.phase === "running"}
          />
        );
      case "request":
        return (
          <RequestPanel
            key={workbench.selected}
            workbench={workbench}
            endpoint={space.endpoint}
            state={state}
            onLaunch={onLaunch}
            onImport={onImport}
            onShowLogs={space.showLogs}
          />
        );
    }
  }
}
