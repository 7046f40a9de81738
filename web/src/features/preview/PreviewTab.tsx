import type { Connection } from "../../api/client";
import { MaybeProvider } from "../../api/context";
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
export function PreviewTab(props: PreviewTabProps) {
  const { generationId, baseUrl, getToken, theme, title = "Preview", className } = props;
  return (
    <MaybeProvider baseUrl={baseUrl} getToken={getToken}>
      <ThemeProvider forced={theme}>
        <Root className={className}>
          <PreviewScreen key={generationId} generationId={generationId} title={title} />
        </Root>
      </ThemeProvider>
    </MaybeProvider>
  );
}
