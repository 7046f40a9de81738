const KEY = "previewd.token";

/** Who is looking: the bearer token, kept for the browser session. */
export const session = {
  token: (): string | null => sessionStorage.getItem(KEY),
  signIn: (token: string): void => sessionStorage.setItem(KEY, token.trim()),
  signOut: (): void => sessionStorage.removeItem(KEY),
};

/** Takes the token of `#token=…`, and takes it out of the address bar. */
export function adoptTokenOfAddress(location: Location, history: History): void {
  const fragment = new URLSearchParams(location.hash.slice(1));
  const token = fragment.get("token");
  if (token === null) return;
  session.signIn(token);
  fragment.delete("token");
  const rest = fragment.toString();
  history.replaceState(history.state, "", location.pathname + location.search + (rest && `#${rest}`));
}
