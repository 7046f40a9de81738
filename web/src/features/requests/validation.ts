import { isRecord } from "../../api/errors";

/** A complaint of FastAPI's 422 about one field. */
export interface FieldError {
  /** `query`, `path`, `header` or `body`. */
  where: string;
  /** `price`, or `items.0.price` further down. */
  field: string;
  /** The same, name by name. */
  path: readonly string[];
  message: string;
}

/** The complaints of a 422 body in FastAPI's shape; none where it has another. */
export function fieldErrors(status: number, data: unknown): FieldError[] {
  if (status !== 422 || !isRecord(data) || !Array.isArray(data.detail)) return [];
  return data.detail.flatMap((entry: unknown) => {
    if (!isRecord(entry) || !Array.isArray(entry.loc) || typeof entry.msg !== "string") return [];
    const [where, ...rest] = entry.loc.map(String);
    return [{ where: where ?? "body", field: rest.join("."), path: rest, message: entry.msg }];
  });
}
