import { Button } from "../../shared/ui/Button";
import type { Auth } from "./draft";
import css from "./requests.module.css";

export interface AuthEditorProps {
  auth: Auth;
  onChange: (auth: Auth) => void;
  /** A token that an earlier answer of the app carried. */
  offered: string | null;
  /** Names of the cookies that the application has set. */
  cookies: readonly string[];
  onForgetCookies: () => void;
}

export function AuthEditor({ auth, onChange, offered, cookies, onForgetCookies }: AuthEditorProps) {
  return (
    <div className={css.auth}>
      <label className={css.field}>
        <span>Kind</span>
        <select
          className={css.input}
          value={auth.kind}
          onChange={(event) => onChange(empty(event.target.value))}
        >
          <option value="none">None</option>
          <option value="bearer">Bearer token</option>
          <option value="basic">User and password</option>
        </select>
      </label>
      {auth.kind === "bearer" && (
        <label className={css.field}>
          <span>Token</span>
          <input
            className={css.input}
            value={auth.token}
            spellCheck={false}
            autoComplete="off"
            onChange={(event) => onChange({ kind: "bearer", token: event.target.value })}
          />
        </label>
      )}
      {auth.kind === "basic" && (
        <>
          <label className={css.field}>
            <span>User</span>
            <input
              className={css.input}
              value={auth.user}
              autoComplete="off"
              onChange={(event) => onChange({ ...auth, user: event.target.value })}
            />
          </label>
          <label className={css.field}>
            <span>Password</span>
            <input
              className={css.input}
              type="password"
              value={auth.password}
              autoComplete="new-password"
              onChange={(event) => onChange({ ...auth, password: event.target.value })}
            />
          </label>
        </>
      )}
      {offered !== null && !(auth.kind === "bearer" && auth.token === offered) && (
        <Button size="small" onClick={() => onChange({ kind: "bearer", token: offered })}>
          Use the token of the last login
        </Button>
      )}
      {cookies.length > 0 && (
        <p className={css.cookies}>
          <span>
            Cookies that the application has set are sent along: <code>{cookies.join(", ")}</code>
          </span>
          <Button size="small" onClick={onForgetCookies}>
            Forget them
          </Button>
        </p>
      )}
    </div>
  );
}

function empty(kind: string): Auth {
  if (kind === "bearer") return { kind: "bearer", token: "" };
  if (kind === "basic") return { kind: "basic", user: "", password: "" };
  return { kind: "none" };
}
