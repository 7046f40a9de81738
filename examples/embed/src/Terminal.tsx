import { PreviewTerminal, usePreview, usePreviewLogs } from "@previewd/react";

/** A host's own controls around the log: the snippet of docs/embedding.md. */
export function Terminal({ generationId }: { generationId: string }) {
  const { state, busy, launch, stop } = usePreview(generationId);
  const { logs, isConnected } = usePreviewLogs(generationId);
  const running = state?.phase === "running";
  return (
    <>
      <button
        type="button"
        disabled={busy}
        onClick={() => void (running ? stop() : launch({ env: { GREETING: "hello" } }))}
      >
        {running ? "Stop" : "Launch"}
      </button>
      <span>
        {isConnected ? "live" : "not live"}, {logs.length} lines
      </span>
      <PreviewTerminal generationId={generationId} className="terminal" theme="dark" />
    </>
  );
}
