const two = (value: number) => String(value).padStart(2, "0");

/** `12:20:05.123` in the reader's time zone; the timestamp as it came where it is none. */
export function clockTime(timestamp: string): string {
  const at = new Date(timestamp);
  if (Number.isNaN(at.getTime())) return timestamp;
  const ms = String(at.getMilliseconds()).padStart(3, "0");
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}.${ms}`;
}
