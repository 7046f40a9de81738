import { fromBase64, toBase64 } from "../../shared/lib/bytes";
import type { Part } from "./build";

export interface Encoded {
  base64: string;
  /** With the boundary. */
  contentType: string;
}

/** A `multipart/form-data` body, as a browser would send it. */
export function encodeParts(parts: readonly Part[], boundary = newBoundary()): Encoded {
  const utf8 = new TextEncoder();
  const pieces = parts.flatMap((part) => [
    utf8.encode(`--${boundary}\r\n${headOf(part)}\r\n\r\n`),
    "file" in part ? fromBase64(part.file.base64) : utf8.encode(part.value),
    utf8.encode("\r\n"),
  ]);
  const whole = joined([...pieces, utf8.encode(`--${boundary}--\r\n`)]);
  return { base64: toBase64(whole), contentType: `multipart/form-data; boundary=${boundary}` };
}

function headOf(part: Part): string {
  const named = `Content-Disposition: form-data; name="${quoted(part.name)}"`;
  if (!("file" in part)) return named;
  const { name, type } = part.file;
  const safeType = /^[\w.+-]+\/[\w.+-]+$/.test(type) ? type : "application/octet-stream";
  return `${named}; filename="${quoted(name)}"\r\nContent-Type: ${safeType}`;
}

/** As HTML's form encoding has it: a name can neither end its quotes nor its line. */
const quoted = (text: string): string =>
  text.replaceAll('"', "%22").replaceAll("\r", "%0D").replaceAll("\n", "%0A");

/** Random, so that no file can hold it but by intent, and nobody who wrote the file has seen it. */
function newBoundary(): string {
  const random = crypto.getRandomValues(new Uint8Array(16));
  return `previewd-${[...random].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(pieces.reduce((size, piece) => size + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
