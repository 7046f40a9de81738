import { useState } from "react";
import { Button } from "../shared/ui/Button";
import { Callout } from "../shared/ui/Callout";
import { CopyButton } from "../shared/ui/CopyButton";
import { Mark } from "../shared/ui/Mark";
import css from "./app.module.css";

const COMMAND = "previewd token --user me";

/** For who came without a token: how to get one, and where to put it. */
export default function SignIn({
  refused,
  onSignIn,
}: {
  refused: boolean;
  onSignIn: (token: string) => void;
}) {
  const [token, setToken] = useState("");
  return (
    <main className={css.center}>
      <Mark />
      <h1>Sign in to previewd</h1>
      {refused && (
        <Callout tone="warn" role="alert">
          Your sign-in is no longer valid. With a new token you come back to where you were.
        </Callout>
      )}
      <p className={css.lead}>
        On the machine that runs previewd, this prints a token. Paste it here; it is kept until you close the
        tab.
      </p>
      <div className={css.command}>
        <code>{COMMAND}</code>
        <CopyButton label="Copy the command" text={() => COMMAND} />
      </div>
      <form
        className={css.form}
        onSubmit={(event) => {
          event.preventDefault();
          if (token.trim() !== "") onSignIn(token);
        }}
      >
        <label>
          Token
          <input
            className={css.input}
            value={token}
            autoComplete="off"
            spellCheck={false}
            onChange={(event) => setToken(event.target.value)}
          />
        </label>
        <Button look="primary" size="large" type="submit" disabled={token.trim() === ""}>
          Sign in
        </Button>
      </form>
    </main>
  );
}
