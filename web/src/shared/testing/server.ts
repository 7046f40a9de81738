import { configure } from "@testing-library/react";
import { createElement, type ReactNode } from "react";
import { vi } from "vitest";
import { PreviewdProvider } from "../../api/context";

/** For what never comes: a second is nothing on a machine that does something else beside. */
configure({ asyncUtilTimeout: 20_000 });

export const ORIGIN = "http://previewd.test";

/** What is answered: a response, or a value as JSON. */
type Answer = unknown | ((request: Request) => unknown);

interface TestServer {
  /** `METHOD /path?query` of what was asked, in order. */
  asked: string[];
  requests: Request[];
  /** By `METHOD /path`; may be changed while a test runs. */
  answers: Record<string, Answer>;
}

/** Answers in the place of the network. What it does not know is a 404, as the server's. */
export function serve(answers: Record<string, Answer>): TestServer {
  const server: TestServer = { asked: [], requests: [], answers };
  vi.stubGlobal("fetch", async (request: Request) => {
    const { pathname, search } = new URL(request.url);
    server.asked.push(`${request.method} ${pathname}${search}`);
    server.requests.push(request.clone());
    const known = server.answers[`${request.method} ${pathname}`];
    const answer = typeof known === "function" ? await known(request) : known;
    if (answer === undefined) return refused(404, "not_found");
    return answer instanceof Response ? answer : Response.json(answer);
  });
  return server;
}

/** An error as the contract has it. */
export const refused = (status: number, error: string, details: Record<string, unknown> = {}): Response =>
  Response.json({ status: error, error, message: `Refused: ${error}.`, details }, { status });

/** What hooks are rendered in. */
export const inProvider = ({ children }: { children: ReactNode }) =>
  createElement(PreviewdProvider, { baseUrl: ORIGIN, getToken: () => "t0ken", children });
