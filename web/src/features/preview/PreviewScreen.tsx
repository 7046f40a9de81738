import type { ReactNode } from "react";
import { ApiError, messageOf } from "../../api/errors";
import { Button } from "../../shared/ui/Button";
import { Callout } from "../../shared/ui/Callout";
import css from "./preview.module.css";
import { usePreview } from "./usePreview";
import { WorkspaceLayout } from "./WorkspaceLayout";

export function PreviewScreen({ generationId, title }: { generationId: string; title: ReactNode }) {
  const controls = usePreview(generationId);
  const { state, error } = controls;
  const refused = error instanceof ApiError && (error.status === 403 || error.status === 404);
  if (state === null || refused) {
    return (
      <div className={css.screen}>
        <header className={css.bar}>
          <div className={css.title}>{title}</div>
        </header>
        {error === null ? <Loading /> : <Unreachable error={error} onRetry={() => void controls.refresh()} />}
      </div>
    );
  }
  return (
    <WorkspaceLayout
      generationId={generationId}
      title={title}
      state={state}
      controls={controls}
      offline={error === null ? null : messageOf(error)}
    />
  );
}

function Loading() {
  return (
    <p className={css.loading} role="status">
      Loading…
    </p>
  );
}

const TITLES: Record<number, string> = { 0: "No connection", 403: "Not yours", 404: "Not found" };

function Unreachable({ error, onRetry }: { error: unknown; onRetry: () => void }) {
  const title = TITLES[error instanceof ApiError ? error.status : -1] ?? "Something is in the way";
  return (
    <section className={css.stage} aria-label={title}>
      <div className={css.card}>
        <h2>{title}</h2>
        <Callout tone="error" role="alert">
          {messageOf(error)}
        </Callout>
        <Button onClick={onRetry}>Try again</Button>
      </div>
    </section>
  );
}
