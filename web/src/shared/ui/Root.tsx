import { createContext, type ReactNode, useContext, useState } from "react";
import { classes } from "./Button";
import { useTheme } from "./theme";

const PortalRoot = createContext<HTMLElement | null>(null);

/** The element that carries the styles' variables; menus open inside it, so that they have them too. */
export function Root({ className, children }: { className?: string; children: ReactNode }) {
  const outer = useContext(PortalRoot);
  const [element, setElement] = useState<HTMLElement | null>(null);
  const { resolved } = useTheme();
  if (outer !== null) return <div className={className}>{children}</div>;
  return (
    <div ref={setElement} className={classes("pv-root", className)} data-theme={resolved}>
      <PortalRoot.Provider value={element}>{children}</PortalRoot.Provider>
    </div>
  );
}

export const usePortalRoot = (): HTMLElement | null => useContext(PortalRoot);
