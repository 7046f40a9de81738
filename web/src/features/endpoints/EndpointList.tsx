import { Lock, Search } from "lucide-react";
import { type RefObject, useMemo, useState } from "react";
import type { Endpoint, EndpointWarning } from "../../api/types";
import { plural } from "../../shared/lib/format";
import { classes } from "../../shared/ui/Button";
import { MethodTag } from "../../shared/ui/MethodTag";
import css from "./endpoints.module.css";
import { groupEndpoints } from "./grouping";

export interface EndpointListProps {
  /** `null` while they are being read. */
  endpoints: readonly Endpoint[] | null;
  /** What of the source could not be understood: routes may be missing. */
  warnings: readonly EndpointWarning[];
  /** Why they could not be read. */
  error: string | null;
  /** `METHOD /path` of the one that is shown. */
  selected: string;
  onSelect: (endpoint: Endpoint) => void;
  filterRef?: RefObject<HTMLInputElement | null>;
}

export function EndpointList(props: EndpointListProps) {
  const { endpoints, warnings, error, selected, onSelect, filterRef } = props;
  const [filter, setFilter] = useState("");
  const groups = useMemo(() => groupEndpoints(endpoints ?? [], filter), [endpoints, filter]);
  return (
    <nav className={css.list} aria-label="Endpoints">
      <div className={css.filter}>
        <Search size={14} aria-hidden="true" />
        <input
          ref={filterRef}
          aria-label="Filter endpoints"
          placeholder="Filter endpoints"
          value={filter}
          onChange={(event) => setFilter(event.target.value)}
          onKeyDown={(event) => event.key === "Escape" && setFilter("")}
        />
      </div>
      <div className={css.groups}>
        {groups.map((group) => (
          <details key={group.name} open className={css.group}>
            <summary>
              <span>{group.name}</span>
              <span className={css.count}>{group.endpoints.length}</span>
            </summary>
            <ul>
              {group.endpoints.map((endpoint) => (
                <li key={`${endpoint.method} ${endpoint.path}`}>
                  <EndpointButton
                    endpoint={endpoint}
                    current={`${endpoint.method} ${endpoint.path}` === selected}
                    onSelect={onSelect}
                  />
                </li>
              ))}
            </ul>
          </details>
        ))}
        {groups.length === 0 && <p className={css.none}>{emptyText(endpoints, error, filter)}</p>}
        {warnings.length > 0 && <Warnings warnings={warnings} />}
      </div>
    </nav>
  );
}

function Warnings({ warnings }: { warnings: readonly EndpointWarning[] }) {
  return (
    <details className={css.warnings}>
      <summary>Routes may be missing ({plural(warnings.length, "reason")})</summary>
      <ul>
        {warnings.map(({ file, line, message }) => (
          <li key={`${file}:${line} ${message}`}>
            {file && <code>{`${file}:${line ?? 1}`}</code>} {message}
          </li>
        ))}
      </ul>
    </details>
  );
}

interface EndpointButtonProps {
  endpoint: Endpoint;
  current: boolean;
  onSelect: (endpoint: Endpoint) => void;
}

function EndpointButton({ endpoint, current, onSelect }: EndpointButtonProps) {
  return (
    <button
      type="button"
      className={classes(css.endpoint, endpoint.deprecated && css.deprecated)}
      aria-current={current || undefined}
      title={endpoint.description || undefined}
      onClick={() => onSelect(endpoint)}
    >
      <MethodTag method={endpoint.method} />
      <span className={css.path}>{endpoint.path}</span>
      {endpoint.deprecated && <span className="pv-sr-only">deprecated</span>}
      {endpoint.secured && (
        <span className={css.lock} title="Needs authentication">
          <Lock size={12} aria-hidden="true" />
          <span className="pv-sr-only">needs authentication</span>
        </span>
      )}
    </button>
  );
}

function emptyText(endpoints: readonly Endpoint[] | null, error: string | null, filter: string): string {
  if (error !== null) return error;
  if (endpoints === null) return "Reading the endpoints…";
  return endpoints.length === 0 ? "No endpoints were found in this code." : `Nothing matches “${filter}”.`;
}
