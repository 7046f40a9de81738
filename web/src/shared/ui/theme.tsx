import { createContext, type ReactNode, useContext, useMemo } from "react";
import { useMedia, useRemembered } from "../lib/hooks";

export type Theme = "system" | "light" | "dark";

interface ThemeChoice {
  theme: Theme;
  resolved: "light" | "dark";
  setTheme: (theme: Theme) => void;
}

const isTheme = (value: unknown): value is Theme =>
  value === "system" || value === "light" || value === "dark";

const ThemeContext = createContext<ThemeChoice | null>(null);

/** Remembers the reader's theme, unless a provider around does; `forced` is a host's decision and wins. */
export function ThemeProvider({ forced, children }: { forced?: Theme; children: ReactNode }) {
  const around = useContext(ThemeContext);
  if (around !== null && forced === undefined) return children;
  return <OwnTheme forced={forced}>{children}</OwnTheme>;
}

function OwnTheme({ forced, children }: { forced?: Theme; children: ReactNode }) {
  const [chosen, setTheme] = useRemembered<Theme>("theme", "system", isTheme);
  const dark = useMedia("(prefers-color-scheme: dark)");
  const theme = forced ?? chosen;
  const value = useMemo<ThemeChoice>(
    () => ({ theme, setTheme, resolved: theme === "system" ? (dark ? "dark" : "light") : theme }),
    [theme, dark, setTheme],
  );
  return <ThemeContext.Provider value={value}>{children}</ThemeContext.Provider>;
}

export function useTheme(): ThemeChoice {
  const choice = useContext(ThemeContext);
  if (choice === null) throw new Error("previewd: no ThemeProvider above this.");
  return choice;
}
