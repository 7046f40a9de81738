import { Download, ScrollText } from "lucide-react";
import { useEffect, useMemo, useState } from "react";
import { ApiError } from "../../api/errors";
import type { ProxyResponse } from "../../api/types";
import { saveAs } from "../../shared/lib/clipboard";
import { bytes, milliseconds } from "../../shared/lib/format";
import { Button, classes, IconButton } from "../../shared/ui/Button";
import { Callout } from "../../shared/ui/Callout";
import { Code } from "../../shared/ui/Code";
import { CopyButton } from "../../shared/ui/CopyButton";
import { Tabs } from "../../shared/ui/Tabs";
import { TextBox } from "../../shared/ui/TextBox";
import {
  bodyBytes,
  bodyText,
  claimsJson,
  fileNameOf,
  header,
  reasonOf,
  sizeOf,
  toneOf,
  viewOf,
} from "./response";
import css from "./response.module.css";
import shared from "./shared.module.css";
import type { Exchange } from "./useSend";

export interface ResponsePanelProps {
  exchange: Exchange;
  /** Whether the preview has no process until it is asked. */
  asleep: boolean;
  onCancel: () => void;
  onShowLogs: (response: ProxyResponse) => void;
  /** Leads to where credentials are given; there for an answer that asks for them. */
  onSignIn: (() => void) | null;
}

export function ResponsePanel({ exchange, asleep, onCancel, onShowLogs, onSignIn }: ResponsePanelProps) {
  switch (exchange.state) {
    case "idle":
      return (
        <p className={css.placeholder}>
          {asleep
            ? "The preview is asleep, since nobody used it. Send the request to wake it."
            : "Send the request to see what it answers."}
        </p>
      );
    case "sending":
      return (
        <div className={css.placeholder}>
          <Button size="small" busy>
            Waiting for the answer
          </Button>
          <Button size="small" look="quiet" onClick={onCancel}>
            Cancel
          </Button>
        </div>
      );
    case "failed":
      return <NoAnswer error={exchange.error} message={exchange.message} />;
    case "answered":
      return <Answer {...exchange} onShowLogs={onShowLogs} onSignIn={onSignIn} />;
  }
}

/** What previewd says in the application's place. */
function NoAnswer({ error, message }: { error: unknown; message: string }) {
  const status = error instanceof ApiError && error.status > 0 ? error.status : null;
  return (
    <div className={css.failed}>
      {status !== null && (
        <p className={css.statusLine}>
          <strong className={classes(css.status, shared["status-error"])}>
            {status} {reasonOf(status)}
          </strong>
          <span>from previewd: the application did not answer</span>
        </p>
      )}
      <Callout tone="error" role="alert">
        {message}
      </Callout>
    </div>
  );
}

type AnswerProps = Pick<Extract<Exchange, { state: "answered" }>, "response" | "kept"> &
  Pick<ResponsePanelProps, "onShowLogs" | "onSignIn">;

function Answer({ response, kept, onShowLogs, onSignIn }: AnswerProps) {
  const [tab, setTab] = useState("body");
  const view = viewOf(response);
  const aside = (
    <div className={css.answerTools}>
      <Button
        size="small"
        look="quiet"
        icon={<ScrollText size={14} />}
        onClick={() => onShowLogs(response)}
        title="Show the log lines of this request"
      >
        Show logs
      </Button>
      <CopyButton label="Copy the response body" text={() => bodyText(response)} />
      <IconButton
        size="small"
        label="Save the response body"
        icon={<Download size={14} />}
        onClick={() =>
          saveAs(
            fileNameOf(response),
            new Blob([bodyBytes(response)], { type: header(response, "content-type") }),
          )
        }
      />
    </div>
  );
  const tabs = [
    { id: "body", label: view === "json" ? "Pretty" : "Body", content: <Body response={response} /> },
    ...(view === "json" ? [{ id: "raw", label: "Raw", content: <Raw response={response} /> }] : []),
    {
      id: "headers",
      label: "Headers",
      count: Object.keys(response.headers).length,
      content: <Headers response={response} />,
    },
  ];
  const shown = tabs.some(({ id }) => id === tab) ? tab : "body";
  return (
    <div className={css.answer}>
      <StatusLine response={response} />
      <Notes response={response} kept={kept} onSignIn={onSignIn} />
      <Tabs
        label="Response"
        tabs={tabs}
        value={shown}
        onChange={setTab}
        aside={aside}
        className={css.answerTabs}
      />
    </div>
  );
}

/** Characters of a body that are shown: more slows the page down, and nobody reads so far. */
const SHOWN = 1_000_000;

const isLong = (response: ProxyResponse): boolean =>
  response.dataEncoding !== "base64" && sizeOf(response) > SHOWN;

/** What a reader of the answer should know first. */
function Notes({ response, kept, onSignIn }: Pick<AnswerProps, "response" | "kept" | "onSignIn">) {
  const redacted = response.redacted ?? [];
  return (
    <div className={css.notes}>
      {kept && (
        <Callout tone="info">
          From the history: secrets are left out
          {kept === "beginning" && ", and only the body's beginning is kept"}.
        </Callout>
      )}
      {redacted.length > 0 && (
        <Callout tone="info">Sent without what the history does not keep: {redacted.join(", ")}.</Callout>
      )}
      {onSignIn && (
        <Callout
          tone="info"
          actions={
            <Button size="small" onClick={onSignIn}>
              Give credentials
            </Button>
          }
        >
          The application asks who you are. Call its login first, and its token is used here.
        </Callout>
      )}
      {response.truncated && (
        <Callout tone="warn">The answer is larger than 10 MB: this is its beginning.</Callout>
      )}
      {!response.truncated && isLong(response) && (
        <Callout tone="info">
          The answer is long: this is its beginning. All of it can be copied or saved.
        </Callout>
      )}
      {claimsJson(response) && !response.truncated && (
        <Callout tone="warn">The answer says that it is JSON, but it cannot be read as such.</Callout>
      )}
    </div>
  );
}

function StatusLine({ response }: { response: ProxyResponse }) {
  const size = useMemo(() => bytes(sizeOf(response)), [response]);
  return (
    <p className={css.statusLine} role="status">
      <strong className={classes(css.status, shared[`status-${toneOf(response.statusCode)}`])}>
        {response.statusCode} {reasonOf(response.statusCode)}
      </strong>
      <span title={`First byte after ${milliseconds(response.timing.firstByteMs)}`}>
        {milliseconds(response.durationMs)}
      </span>
      <span>{size}</span>
      <span className={css.contentType}>{header(response, "content-type")}</span>
    </p>
  );
}

function Body({ response }: { response: ProxyResponse }) {
  const view = viewOf(response);
  const text = useMemo(() => bodyText(response), [response]);
  switch (view) {
    case "json":
    case "text":
      return (
        <Code
          readOnly
          label="Response body"
          language={view}
          value={text.slice(0, SHOWN)}
          className={shared.editor}
        />
      );
    case "image":
      return <ImageView response={response} />;
    case "empty":
      return <p className={shared.hint}>The response has no body.</p>;
    case "binary":
      return (
        <p className={shared.hint}>
          Binary data, {bytes(sizeOf(response))}. Save it to open it in another program.
        </p>
      );
  }
}

function Raw({ response }: { response: ProxyResponse }) {
  const text = useMemo(() => JSON.stringify(response.data), [response]);
  return <TextBox className={css.raw} label="Raw response body" text={text} />;
}

function Headers({ response }: { response: ProxyResponse }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard.
    <section className={css.headers} aria-label="Response headers" tabIndex={0}>
      <table>
        <tbody>
          {Object.entries(response.headers).flatMap(([name, value]) =>
            [value].flat().map((one, index) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: a header's values have an order and nothing else.
              <tr key={`${name}${index}`}>
                <th scope="row">{name}</th>
                <td>{one}</td>
              </tr>
            )),
          )}
        </tbody>
      </table>
    </section>
  );
}

function ImageView({ response }: { response: ProxyResponse }) {
  const [url, setUrl] = useState<string>();
  useEffect(() => {
    const made = URL.createObjectURL(
      new Blob([bodyBytes(response)], { type: header(response, "content-type") }),
    );
    setUrl(made);
    return () => URL.revokeObjectURL(made);
  }, [response]);
  return <img className={css.image} src={url} alt="The response body" />;
}
