import type { Endpoint } from "../../api/types";

interface EndpointGroup {
  name: string;
  endpoints: Endpoint[];
}

/** Endpoints by their first tag, else by the first part of their path that is not `api` or a version. */
export function groupEndpoints(endpoints: readonly Endpoint[], filter: string): EndpointGroup[] {
  const groups = new Map<string, Endpoint[]>();
  for (const endpoint of endpoints) {
    if (!matchesFilter(endpoint, filter)) continue;
    const name = endpoint.tags[0] ?? pathGroup(endpoint.path);
    const group = groups.get(name);
    if (group) group.push(endpoint);
    else groups.set(name, [endpoint]);
  }
  return [...groups].map(([name, members]) => ({ name, endpoints: members }));
}

/** Every word of the filter is somewhere in the method, the path, the description or a tag. */
function matchesFilter(endpoint: Endpoint, filter: string): boolean {
  const text = [endpoint.method, endpoint.path, endpoint.description, ...endpoint.tags]
    .join(" ")
    .toLowerCase();
  return filter
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}

function pathGroup(path: string): string {
  const part = path.split("/").find((piece) => piece !== "" && piece !== "api" && !/^(v\d+|\{)/.test(piece));
  return part ?? "root";
}

/** The one to show first: a GET that can be sent as it is, else whatever comes first. */
export function firstEndpoint(endpoints: readonly Endpoint[]): Endpoint | null {
  const plain = endpoints.filter(({ method, path }) => method === "GET" && !path.includes("{"));
  const telling = plain.find(({ path, secured }) => !secured && !/^\/?$|health|ping|metrics/.test(path));
  return telling ?? plain[0] ?? endpoints[0] ?? null;
}
