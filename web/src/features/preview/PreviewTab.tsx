import type { Connection } from "../../api/client";
import { PreviewdProvider, useHasServer } from "../../api/context";
import { Root } from "../../shared/ui/Root";
import { type Theme, ThemeProvider } from "../../shared/ui/theme";
import { PreviewScreen } from "./PreviewScreen";

export interface PreviewTabProps {
  generationId: string;
  /** Origin of the previewd server; the page's own if not given. Not needed inside `<PreviewdProvider>`. */
  baseUrl?: string;
  /** Answers the bearer token of who is looking. Not needed inside `<PreviewdProvider>`. */
  getToken?: Connection["getToken"];
  /** The reader's own choice if not given. */
  theme?: Theme;
  /** Shown before the state, at the start of the bar. */
  title?: React.ReactNode;
  className?: string;
}

/** Everything there is to do with one generation: launch, try, read its log, stop. Fills its parent. */
export function PreviewTab({ generationId, baseUrl, getToken, theme, title, className }: PreviewTabProps) {
  const inside = useHasServer();
  const screen = (
    <ThemeProvider forced={theme}>
      <Root className={className}>
        <PreviewScreen key={generationId} generationId={generationId} title={title ?? "Preview"} />
      </Root>
    </ThemeProvider>
  );
  if (inside && baseUrl === undefined && getToken === undefined) return screen;
  return (
    <PreviewdProvider baseUrl={baseUrl} getToken={getToken}>
      {screen}
    </PreviewdProvider>
  );
}
