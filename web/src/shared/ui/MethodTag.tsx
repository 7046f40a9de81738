import { classes } from "./Button";
import css from "./ui.module.css";

const TONES: Record<string, string> = {
  GET: "get",
  POST: "post",
  PUT: "put",
  PATCH: "put",
  DELETE: "delete",
  WEBSOCKET: "socket",
};
const SHORT: Record<string, string> = { DELETE: "DEL", WEBSOCKET: "WS", OPTIONS: "OPT" };

export function MethodTag({ method }: { method: string }) {
  return (
    <span className={classes(css.method, css[`method-${TONES[method] ?? "other"}`])} title={method}>
      {SHORT[method] === undefined ? (
        method
      ) : (
        <>
          <span aria-hidden="true">{SHORT[method]}</span>
          <span className="pv-sr-only">{method}</span>
        </>
      )}
    </span>
  );
}
