import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { createContext, type ReactNode, useContext, useMemo, useRef, useState } from "react";
import { LogSession } from "../features/logs/logSession";
import { type Api, type Connection, createApi } from "./client";
import { ApiError } from "./errors";

interface Server {
  api: Api;
  queries: QueryClient;
  sessions: Map<string, LogSession>;
}

const ServerContext = createContext<Server | null>(null);

export interface PreviewdProviderProps {
  /** Origin of the previewd server; the page's own if not given. */
  baseUrl?: string;
  /** Answers the bearer token of who is looking. */
  getToken?: Connection["getToken"];
  children: ReactNode;
}

/** Says which server everything below it speaks to. */
export function PreviewdProvider({ baseUrl = "", getToken = noToken, children }: PreviewdProviderProps) {
  const newest = useRef(getToken);
  newest.current = getToken;
  const [queries] = useState(createQueries);
  const server = useMemo<Server>(
    () => ({
      api: createApi({ baseUrl, getToken: (options) => newest.current(options) }),
      queries,
      sessions: new Map(),
    }),
    [baseUrl, queries],
  );
  return (
    <ServerContext.Provider value={server}>
      <QueryClientProvider client={queries}>{children}</QueryClientProvider>
    </ServerContext.Provider>
  );
}

export function useApi(): Api {
  return useServer().api;
}

/** What remembers answers, for hooks that a host uses without a provider as well. */
export function useQueries(): QueryClient {
  return useServer().queries;
}

/** The log session of a generation: one for all who look at it. */
export function useLogSession(generationId: string): LogSession {
  const { api, sessions } = useServer();
  const known = sessions.get(generationId);
  if (known) return known;
  const session = new LogSession(api, generationId);
  sessions.set(generationId, session);
  return session;
}

/** A provider where there is none, or where another server is named than the one around. */
export function MaybeProvider({ baseUrl, getToken, children }: PreviewdProviderProps) {
  const around = useContext(ServerContext);
  if (around !== null && baseUrl === undefined && getToken === undefined) return children;
  return (
    <PreviewdProvider baseUrl={baseUrl} getToken={getToken}>
      {children}
    </PreviewdProvider>
  );
}

function useServer(): Server {
  return useContext(ServerContext) ?? pageServer();
}

let ofThePage: Server | null = null;

/** The page's own origin, whoever its cookies say one is: what is spoken to where no provider says otherwise. */
function pageServer(): Server {
  ofThePage ??= {
    api: createApi({ baseUrl: "", getToken: noToken }),
    queries: createQueries(),
    sessions: new Map(),
  };
  return ofThePage;
}

function createQueries(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        staleTime: 2_000,
        retry: (failures, error) => failures < 2 && !(error instanceof ApiError && error.status >= 400),
      },
    },
  });
}

const noToken = () => null;
