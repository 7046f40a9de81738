import { PreviewdProvider, PreviewTab, usePreview, usePreviewLogs } from "@previewd/react";
import { useState } from "react";
import { Terminal } from "./Terminal";

/** A real host asks its own backend for a token of the signed-in user; this one reads it from the address. */
const address = new URLSearchParams(window.location.search);
const getToken = () => address.get("token");
const generationId = address.get("generation") ?? "";

export function Host() {
  const [page, setPage] = useState<"tab" | "terminal">("tab");
  return (
    <PreviewdProvider getToken={getToken}>
      <header>
        <h1>A host application</h1>
        <button type="button" onClick={() => setPage("tab")}>
          Preview
        </button>
        <button type="button" onClick={() => setPage("terminal")}>
          Terminal
        </button>
        <Summary />
      </header>
      <main>
        {page === "tab" ? (
          <PreviewTab generationId={generationId} className="fill" title="Your backend" />
        ) : (
          <Terminal generationId={generationId} />
        )}
      </main>
    </PreviewdProvider>
  );
}

/** The hooks alone, for a host's own parts. */
function Summary() {
  const { state } = usePreview(generationId);
  const { logs, isConnected } = usePreviewLogs(generationId);
  return (
    <output>
      {state?.phase ?? "…"}, {logs.length} lines, {isConnected ? "live" : "not live"}
    </output>
  );
}
