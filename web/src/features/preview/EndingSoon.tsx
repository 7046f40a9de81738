import { useState } from "react";
import type { PreviewStatus } from "../../api/types";
import { useNow } from "../../shared/lib/hooks";
import { Button } from "../../shared/ui/Button";
import { Callout } from "../../shared/ui/Callout";
import type { PreviewControls } from "./usePreview";
import { EXPIRY_WARNING_S } from "./words";

/** Warns, once for each preview, that its time is nearly up and what goes with it. */
export function EndingSoon({ preview, controls }: { preview: PreviewStatus; controls: PreviewControls }) {
  const now = useNow(1_000);
  const [dismissed, setDismissed] = useState<string | null>(null);
  const left = (Date.parse(preview.expiresAt) - now) / 1000;
  if (left > EXPIRY_WARNING_S || dismissed === preview.previewInstanceId) return null;
  return (
    <Callout
      tone="warn"
      role="status"
      actions={
        <>
          <Button size="small" busy={controls.restart.isPending} onClick={() => controls.restart.mutate()}>
            Restart now
          </Button>
          <Button size="small" look="quiet" onClick={() => setDismissed(preview.previewInstanceId)}>
            Dismiss
          </Button>
        </>
      }
    >
      This preview ends in less than five minutes, and its data with it. A restart begins a new session.
    </Callout>
  );
}
