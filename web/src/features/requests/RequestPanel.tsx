import { Play, Send } from "lucide-react";
import { useEffect, useState } from "react";
import type { Endpoint, PreviewState, ProxyResponse } from "../../api/types";
import { copyText } from "../../shared/lib/clipboard";
import { Button, classes } from "../../shared/ui/Button";
import { Callout } from "../../shared/ui/Callout";
import { Menu } from "../../shared/ui/Menu";
import { Tabs } from "../../shared/ui/Tabs";
import { AuthEditor } from "./AuthEditor";
import { BodyEditor } from "./BodyEditor";
import { build, type DraftProblem } from "./build";
import { type Draft, METHODS, pathNames } from "./draft";
import { HistoryList } from "./HistoryList";
import { ResponsePanel } from "./ResponsePanel";
import { RowsEditor } from "./RowsEditor";
import css from "./requests.module.css";
import { LANGUAGES, snippet } from "./snippets";
import type { Workbench } from "./useWorkbench";
import { type FieldError, fieldErrors } from "./validation";

export interface RequestPanelProps {
  workbench: Workbench;
  endpoint: Endpoint | null;
  endpoints: readonly Endpoint[];
  state: PreviewState;
  onLaunch: () => void;
  onImport: () => void;
  onShowLogs: (response: ProxyResponse) => void;
}

export default function RequestPanel(props: RequestPanelProps) {
  const { workbench, endpoint, state, onLaunch, onImport, onShowLogs } = props;
  const { draft, change, exchange } = workbench;
  const [tab, setTab] = useState<string | null>(null);
  const [problem, setProblem] = useState<DraftProblem | null>(null);
  const running = state.phase === "running" ? state.preview : null;
  const errors =
    exchange.state === "answered" ? fieldErrors(exchange.response.statusCode, exchange.response.data) : [];

  const showProblem = (found: DraftProblem) => {
    setProblem(found);
    setTab(found.tab);
  };
  const submit = () => {
    if (exchange.state === "sending") return;
    const built = build(draft);
    setProblem(null);
    if ("problem" in built) showProblem(built.problem);
    else if (running) void workbench.send(running, built.request);
  };
  const shown = tab ?? firstTab(draft);
  return (
    <form
      className={css.panel}
      aria-label="Request"
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
      onKeyDown={(event) => {
        if (!event.defaultPrevented && event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
          event.preventDefault();
          submit();
        }
      }}
    >
      <h2 className="pv-sr-only">Request</h2>
      <div className={css.address}>
        <select
          className={classes(css.input, css.methodSelect)}
          aria-label="Method"
          value={draft.method}
          onChange={(event) => change({ ...draft, method: event.target.value })}
        >
          {[...new Set([draft.method, ...METHODS])].map((method) => (
            <option key={method}>{method}</option>
          ))}
        </select>
        <input
          className={classes(css.input, css.path)}
          aria-label="Path"
          value={draft.path}
          spellCheck={false}
          onChange={(event) => change({ ...draft, path: event.target.value })}
        />
        <SendButton
          sending={exchange.state === "sending"}
          state={state}
          method={draft.method}
          onLaunch={onLaunch}
        />
        <CopyMenu
          draft={draft}
          baseUrl={running?.baseUrl ?? "http://localhost:3001"}
          onImport={onImport}
          onProblem={showProblem}
        />
      </div>
      {endpoint?.description && <p className={css.description}>{endpoint.description}</p>}
      {draft.method === "WEBSOCKET" && (
        <Callout tone="info">
          This is a WebSocket: connect to it at the preview's own address
          {running?.baseUrl && <code> {running.baseUrl.replace(/^http/, "ws") + draft.path}</code>}, with the
          preview's token as <code>?preview_token=</code>.
        </Callout>
      )}
      {problem && (
        <Callout tone="warn" role="alert">
          {problem.message}
        </Callout>
      )}
      <div className={css.split}>
        <Tabs
          label="Parts of the request"
          value={shown}
          onChange={setTab}
          className={css.editorPane}
          tabs={requestTabs(props, errors, problem, submit)}
        />
        <section className={css.responsePane} aria-label="Response">
          <ResponsePanel
            exchange={exchange}
            asleep={running?.asleep ?? false}
            onCancel={workbench.cancel}
            onShowLogs={onShowLogs}
            onSignIn={wantsToken(workbench) ? () => setTab("auth") : null}
          />
        </section>
      </div>
    </form>
  );
}

function requestTabs(
  { workbench, endpoint, endpoints, state }: RequestPanelProps,
  errors: FieldError[],
  problem: DraftProblem | null,
  submit: () => void,
) {
  const { draft, change } = workbench;
  const at = (where: string) => errors.filter((error) => error.where === where);
  return [
    {
      id: "params",
      label: "Params",
      count: pathNames(draft.path).length + draft.query.filter((row) => row.enabled).length,
      content: <Params draft={draft} onChange={change} errors={errors} problem={problem} />,
    },
    {
      id: "headers",
      label: "Headers",
      count: draft.headers.filter((row) => row.enabled).length,
      content: (
        <RowsEditor
          noun="header"
          rows={draft.headers}
          onChange={(headers) => change({ ...draft, headers })}
          errors={at("header")}
        />
      ),
    },
    {
      id: "body",
      label: "Body",
      count: draft.body.mode === "none" ? 0 : undefined,
      content: (
        <BodyEditor
          body={draft.body}
          onChange={(body) => change({ ...draft, body })}
          onSubmit={submit}
          fields={Object.keys(endpoint?.body?.schema.properties ?? {})}
          errors={at("body")}
        />
      ),
    },
    {
      id: "auth",
      label: "Auth",
      content: (
        <AuthEditor
          auth={draft.auth}
          offered={workbench.token}
          cookies={workbench.cookies}
          onForgetCookies={workbench.forgetCookies}
          onChange={(auth) => change({ ...draft, auth })}
        />
      ),
    },
    {
      id: "history",
      label: "History",
      content: <HistoryList workbench={workbench} endpoints={endpoints} state={state} />,
    },
  ];
}

interface ParamsProps {
  draft: Draft;
  onChange: (draft: Draft) => void;
  errors: readonly FieldError[];
  problem: DraftProblem | null;
}

function Params({ draft, onChange, errors, problem }: ParamsProps) {
  const names = pathNames(draft.path);
  return (
    <div className={css.params}>
      {names.length > 0 && (
        <div className={css.group}>
          <h3 className={css.heading}>Path</h3>
          {names.map((name) => {
            const error = errors.find(({ where, field }) => where === "path" && field === name);
            const missing = problem?.tab === "params" && problem.field === name;
            return (
              <label key={name} className={css.field}>
                <span>{name}</span>
                <input
                  className={css.input}
                  value={draft.pathValues[name] ?? ""}
                  aria-invalid={error !== undefined || missing || undefined}
                  onChange={(event) =>
                    onChange({ ...draft, pathValues: { ...draft.pathValues, [name]: event.target.value } })
                  }
                />
                {error && <span className={css.fieldError}>{error.message}</span>}
              </label>
            );
          })}
        </div>
      )}
      <div className={css.group}>
        <h3 className={css.heading}>Query</h3>
        <RowsEditor
          noun="query parameter"
          rows={draft.query}
          onChange={(query) => onChange({ ...draft, query })}
          errors={errors.filter(({ where }) => where === "query")}
        />
      </div>
    </div>
  );
}

interface SendButtonProps {
  sending: boolean;
  state: PreviewState;
  method: string;
  onLaunch: () => void;
}

function SendButton({ sending, state, method, onLaunch }: SendButtonProps) {
  if (state.phase === "launching") {
    return (
      <Button key="launching" look="primary" busy>
        Launching
      </Button>
    );
  }
  if (state.phase !== "running") {
    return (
      <Button key="launch" look="primary" icon={<Play size={14} />} onClick={onLaunch}>
        Launch
      </Button>
    );
  }
  const socket = method === "WEBSOCKET";
  return (
    <Button
      key="send"
      look="primary"
      type="submit"
      icon={<Send size={14} />}
      busy={sending}
      disabled={socket}
      title={socket ? "WebSockets are opened at the preview's own address" : "Send (Ctrl+Enter)"}
    >
      Send
    </Button>
  );
}

interface CopyMenuProps {
  draft: Draft;
  baseUrl: string;
  onImport: () => void;
  onProblem: (problem: DraftProblem) => void;
}

function CopyMenu({ draft, baseUrl, onImport, onProblem }: CopyMenuProps) {
  const [copied, setCopied] = useState<string | null>(null);
  useEffect(() => {
    if (copied === null) return;
    const timer = setTimeout(() => setCopied(null), 1_500);
    return () => clearTimeout(timer);
  }, [copied]);
  const copies = LANGUAGES.map((language) => ({
    label: `Copy as ${language}`,
    onSelect: () => {
      const built = build(draft);
      if ("problem" in built) return onProblem(built.problem);
      const text = snippet(language, baseUrl, built.request, built.madeOf);
      void copyText(text).then((done) => setCopied(done ? "Copied" : "Not copied"));
    },
  }));
  return (
    <Menu
      trigger={<Button>{copied ?? "Copy as"}</Button>}
      items={[...copies, { label: "Import curl…", onSelect: onImport }]}
    />
  );
}

/** Refused for want of credentials, with none sent. */
function wantsToken({ draft, exchange }: Workbench): boolean {
  if (exchange.state !== "answered" || draft.auth.kind !== "none") return false;
  return exchange.response.statusCode === 401 || exchange.response.statusCode === 403;
}

/** Where there is something to fill in. */
function firstTab(draft: Draft): string {
  return draft.body.mode !== "none" && pathNames(draft.path).length === 0 ? "body" : "params";
}
