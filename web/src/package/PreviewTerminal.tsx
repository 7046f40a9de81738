import type { Connection } from "../api/client";
import { MaybeProvider } from "../api/context";
import { LogPanel } from "../features/logs/LogPanel";
import { usePreview } from "../features/preview/usePreview";
import { classes } from "../shared/ui/Button";
import { Root } from "../shared/ui/Root";
import { type Theme, ThemeProvider } from "../shared/ui/theme";
import css from "./package.module.css";

export interface PreviewTerminalProps {
  generationId: string;
  className?: string;
  /** Origin of the previewd server; not needed inside `<PreviewdProvider>`. */
  baseUrl?: string;
  /** Answers the bearer token of who is looking; not needed inside `<PreviewdProvider>`. */
  getToken?: Connection["getToken"];
  /** The reader's own choice if not given. */
  theme?: Theme;
}

/** The log terminal alone: follows, searches and filters the log of a generation's newest preview. */
export function PreviewTerminal({ generationId, className, theme, ...connection }: PreviewTerminalProps) {
  return (
    <MaybeProvider {...connection}>
      <ThemeProvider forced={theme}>
        <Root className={classes(css.terminal, className)}>
          <Terminal key={generationId} generationId={generationId} />
        </Root>
      </ThemeProvider>
    </MaybeProvider>
  );
}

function Terminal({ generationId }: { generationId: string }) {
  const { session } = usePreview(generationId);
  return (
    <LogPanel
      session={session}
      className={css.panel}
      empty="The log appears here once a preview is launched."
    />
  );
}
