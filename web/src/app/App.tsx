import { useEffect, useState } from "react";
import { PreviewdProvider } from "../api/context";
import { HomePage } from "../features/projects/HomePage";
import { Root } from "../shared/ui/Root";
import { ThemeProvider } from "../shared/ui/theme";
import css from "./app.module.css";
import { GenerationPage } from "./GenerationPage";
import { Link } from "./Link";
import { navigate, useRoute } from "./router";
import { SignIn } from "./SignIn";
import { session } from "./session";

const SIGNED_OUT = "previewd:signedout";

/** A refused token is no use: the next page asks for another. */
function getToken({ refresh = false }: { refresh?: boolean } = {}): string | null {
  if (refresh) {
    session.signOut();
    window.dispatchEvent(new Event(SIGNED_OUT));
    return null;
  }
  return session.token();
}

export function App() {
  const [signedIn, setSignedIn] = useSignedIn();
  return (
    <ThemeProvider>
      <Root className={css.app}>
        {signedIn ? (
          <PreviewdProvider getToken={getToken}>
            <Page />
          </PreviewdProvider>
        ) : (
          <SignIn
            onSignIn={(token) => {
              session.signIn(token);
              setSignedIn(true);
            }}
          />
        )}
      </Root>
    </ThemeProvider>
  );
}

function Page() {
  const route = useRoute();
  switch (route.page) {
    case "home":
      return <HomePage onOpen={(id) => navigate(`/g/${encodeURIComponent(id)}`)} />;
    case "generation":
      return <GenerationPage key={route.id} id={route.id} />;
    case "unknown":
      return (
        <main className={css.center}>
          <h1>Page not found</h1>
          <p>There is nothing at this address.</p>
          <Link href="/">All projects</Link>
        </main>
      );
  }
}

function useSignedIn() {
  const state = useState(() => session.token() !== null);
  const [, setSignedIn] = state;
  useEffect(() => {
    const onSignedOut = () => setSignedIn(false);
    window.addEventListener(SIGNED_OUT, onSignedOut);
    return () => window.removeEventListener(SIGNED_OUT, onSignedOut);
  }, []);
  return state;
}
