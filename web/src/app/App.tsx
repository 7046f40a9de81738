import { lazy, Suspense, useEffect, useState } from "react";
import { PreviewdProvider } from "../api/context";
import { Root } from "../shared/ui/Root";
import { ThemeProvider } from "../shared/ui/theme";
import css from "./app.module.css";
import { Link } from "./Link";
import { navigate, useRoute } from "./router";
import { session } from "./session";

const HomePage = lazy(() => import("../features/projects/HomePage"));
const GenerationPage = lazy(() => import("./GenerationPage"));
const SignIn = lazy(() => import("./SignIn"));

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
  const [signIn, setSignIn] = useSignIn();
  return (
    <ThemeProvider>
      <Root className={css.app}>
        <Suspense>
          {signIn === "in" ? (
            <PreviewdProvider getToken={getToken}>
              <Page />
            </PreviewdProvider>
          ) : (
            <SignIn
              refused={signIn === "refused"}
              onSignIn={(token) => {
                session.signIn(token);
                setSignIn("in");
              }}
            />
          )}
        </Suspense>
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

/** Whether there is a token, there is none yet, or the one that there was is no longer good. */
type SignInState = "in" | "out" | "refused";

function useSignIn() {
  const state = useState<SignInState>(() => (session.token() === null ? "out" : "in"));
  const [, setSignIn] = state;
  useEffect(() => {
    const onSignedOut = () => setSignIn("refused");
    window.addEventListener(SIGNED_OUT, onSignedOut);
    return () => window.removeEventListener(SIGNED_OUT, onSignedOut);
  }, []);
  return state;
}
