/** An answer of the server that is not what was asked for, or no answer (`status` 0). */
export class ApiError extends Error {
  readonly status: number;
  /** The contract's stable code, such as `preview_already_running`; `network` for no answer. */
  readonly code: string;
  readonly details: Record<string, unknown>;

  constructor(status: number, code: string, message: string, details: Record<string, unknown> = {}) {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.code = code;
    this.details = details;
  }
}

/** Reads the contract's error body; anything else (a proxy's page, say) gets a sentence of ours. */
export function errorFrom(status: number, body: unknown): ApiError {
  if (isRecord(body) && typeof body.error === "string") {
    const message = typeof body.message === "string" ? body.message : body.error;
    return new ApiError(status, body.error, message, isRecord(body.details) ? body.details : {});
  }
  return new ApiError(status, "unexpected", `The server answered ${status} without saying why. Try again.`);
}

export const isCode = (error: unknown, ...codes: string[]): error is ApiError =>
  error instanceof ApiError && codes.includes(error.code);

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The sentence to show for whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
