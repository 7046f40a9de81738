/** Runs a regular expression over lines, away from the page: a bad one can take for ever, and is then ended. */
export interface RegexJob {
  pattern: string;
  caseSensitive: boolean;
  lines: string[];
}

/** That the worker is there, then the indices of the lines that match. */
export type RegexMessage = "ready" | number[];

self.onmessage = ({ data }: MessageEvent<RegexJob>) => {
  const pattern = new RegExp(data.pattern, data.caseSensitive ? "u" : "iu");
  const found: number[] = [];
  data.lines.forEach((line, index) => {
    if (pattern.test(line)) found.push(index);
  });
  self.postMessage(found satisfies RegexMessage);
};

self.postMessage("ready" satisfies RegexMessage);
