import { useSyncExternalStore } from "react";

type Route = { page: "home" } | { page: "generation"; id: string } | { page: "unknown" };

export function routeOf(path: string): Route {
  if (path === "/") return { page: "home" };
  const id = /^\/g\/([^/]+)\/?$/.exec(path)?.[1];
  return id === undefined ? { page: "unknown" } : { page: "generation", id: decodeURIComponent(id) };
}

const listeners = new Set<() => void>();

export function navigate(path: string): void {
  history.pushState(null, "", path);
  for (const listener of listeners) listener();
}

export function useRoute(): Route {
  const path = useSyncExternalStore(subscribe, () => window.location.pathname);
  return routeOf(path);
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  window.addEventListener("popstate", listener);
  return () => {
    listeners.delete(listener);
    window.removeEventListener("popstate", listener);
  };
}
