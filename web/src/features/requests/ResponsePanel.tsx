import { Download, ScrollText } from "lucide-react";
import { useEffect, useMemo, useState } from "react";
import type { ProxyResponse } from "../../api/types";
import { saveAs } from "../../shared/lib/clipboard";
import { bytes, milliseconds } from "../../shared/lib/format";
import { Button, classes, IconButton } from "../../shared/ui/Button";
import { Callout } from "../../shared/ui/Callout";
import { Code } from "../../shared/ui/Code";
import { CopyButton } from "../../shared/ui/CopyButton";
import { Tabs } from "../../shared/ui/Tabs";
import { TextBox } from "../../shared/ui/TextBox";
import css from "./requests.module.css";
import { bodyBytes, bodyText, header, reasonOf, sizeOf, viewOf } from "./response";
import type { Exchange } from "./useSend";

export interface ResponsePanelProps {
  exchange: Exchange;
  onCancel: () => void;
  onShowLogs: (response: ProxyResponse) => void;
}

export function ResponsePanel({ exchange, onCancel, onShowLogs }: ResponsePanelProps) {
  switch (exchange.state) {
    case "idle":
      return <p className={css.placeholder}>Send the request to see what it answers.</p>;
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
      return (
        <div className={css.failed}>
          <Callout tone="error" role="alert">
            <strong>No answer.</strong> {exchange.message}
          </Callout>
        </div>
      );
    case "answered":
      return <Answer response={exchange.response} onShowLogs={onShowLogs} />;
  }
}

function Answer({
  response,
  onShowLogs,
}: { response: ProxyResponse } & Pick<ResponsePanelProps, "onShowLogs">) {
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
        Logs
      </Button>
      <CopyButton label="Copy the response body" text={() => bodyText(response)} />
      <IconButton
        size="small"
        label="Save the response body"
        icon={<Download size={14} />}
        onClick={() =>
          saveAs("response", new Blob([bodyBytes(response)], { type: header(response, "content-type") }))
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
      {response.truncated && (
        <Callout tone="warn">The response was larger than what can be shown: this is its beginning.</Callout>
      )}
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

function StatusLine({ response }: { response: ProxyResponse }) {
  const size = useMemo(() => bytes(sizeOf(response)), [response]);
  const tone = ["", "info", "ok", "info", "warn", "error"][Math.floor(response.statusCode / 100)] ?? "info";
  return (
    <p className={css.statusLine} role="status">
      <strong className={classes(css.status, css[`status-${tone}`])}>
        {response.statusCode} {reasonOf(response.statusCode)}
      </strong>
      <span>{milliseconds(response.durationMs)}</span>
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
      return <Code readOnly label="Response body" language={view} value={text} className={css.editor} />;
    case "image":
      return <ImageView response={response} />;
    case "empty":
      return <p className={css.hint}>The response has no body.</p>;
    case "binary":
      return (
        <p className={css.hint}>
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
    <table className={css.headers}>
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
