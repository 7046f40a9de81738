import { type RefObject, useState } from "react";
import { messageOf } from "../../api/errors";
import { Tabs } from "../../shared/ui/Tabs";
import { EndpointList } from "../endpoints/EndpointList";
import { FileList } from "../files/FileList";
import css from "./preview.module.css";
import type { Workspace } from "./useWorkspace";

export interface SidePaneProps {
  generationId: string;
  space: Workspace;
  filterRef: RefObject<HTMLInputElement | null>;
}

/** What there is: the endpoints, and the files behind them. */
export function SidePane({ generationId, space, filterRef }: SidePaneProps) {
  const [tab, setTab] = useState("endpoints");
  const { view, workbench, endpoints, endpointsError } = space;
  return (
    <aside className={css.list} aria-label="Endpoints and files">
      <Tabs
        label="Endpoints and files"
        value={tab}
        onChange={setTab}
        className={css.sideTabs}
        tabs={[
          {
            id: "endpoints",
            label: "Endpoints",
            count: endpoints?.length,
            content: (
              <EndpointList
                endpoints={endpoints}
                warnings={space.warnings}
                error={endpointsError && messageOf(endpointsError)}
                selected={view.kind === "request" ? workbench.selected : ""}
                onSelect={space.openEndpoint}
                filterRef={filterRef}
              />
            ),
          },
          {
            id: "files",
            label: "Files",
            content: (
              <FileList
                generationId={generationId}
                selected={view.kind === "file" ? view.path : null}
                edits={space.edits}
                onSelect={(path) => space.openFile(path)}
              />
            ),
          },
        ]}
      />
    </aside>
  );
}
