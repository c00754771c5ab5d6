/** How the command line prints: tables on a terminal, one JSON document with --json, faults on stderr. */

export type Output = Readonly<{ json: boolean; out: (text: string) => void; err: (text: string) => void }>;

/** Exit 1 = found faults, 2 = bad usage; the text goes to stderr. */
export class CommandFailed extends Error {
  override readonly name = "CommandFailed";
  readonly exitCode: 1 | 2;
  constructor(text: string, exitCode: 1 | 2 = 1) {
    super(text);
    this.exitCode = exitCode;
  }
}

export type Column<T> = Readonly<{ title: string; value: (row: T) => string | number | undefined; right?: boolean }>;

/** Columns as wide as their widest cell; control characters shown, so that data cannot steer the terminal. */
export function table<T>(rows: readonly T[], columns: readonly Column<T>[], empty: string): string {
  if (rows.length === 0) return empty;
  const cells = rows.map((row) => columns.map((column) => plain(String(column.value(row) ?? ""))));
  const widths = columns.map((column, index) => Math.max(column.title.length, ...cells.map((line) => line[index]?.length ?? 0)));
  const line = (values: readonly string[]): string =>
    values
      .map((value, index) => (columns[index]?.right ? value.padStart(widths[index] ?? 0) : value.padEnd(widths[index] ?? 0)))
      .join("  ")
      .trimEnd();
  return [line(columns.map((column) => column.title)), ...cells.map(line)].join("\n");
}

/** C0, C1, bidirectional and line separators as escapes. */
export function plain(text: string): string {
  return text.replace(
    /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu,
    (found) => `\\u${found.codePointAt(0)?.toString(16).padStart(4, "0")}`,
  );
}

export function print(output: Output, value: unknown, text: string): void {
  output.out(output.json ? JSON.stringify(value) : text);
}

/** `2026-11-23 09:41:07.123` in UTC. */
export const when = (time: number): string => new Date(time).toISOString().replace("T", " ").replace("Z", "");

/** A whole number from 1 that an option gives. */
export function whole(text: string, name: string): number {
  if (!/^[1-9]\d{0,14}$/u.test(text)) throw new CommandFailed(`${name} ${text} is no whole number from 1`, 2);
  return Number(text);
}
