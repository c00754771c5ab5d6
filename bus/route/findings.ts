/** What lint, load and plan say about an administrator's file. */

export type Severity = "error" | "warn";

export type Finding = Readonly<{
  file: string;
  /** From 1. */
  line: number;
  column: number;
  severity: Severity;
  /** Name of the rule, for example `unknown-field`. */
  rule: string;
  /** What is wrong and what to write. */
  text: string;
}>;

/** `file:line:column  severity  rule  text`, the form every command prints. */
export function formatFinding(finding: Finding): string {
  return `${finding.file}:${finding.line}:${finding.column}  ${finding.severity}  ${finding.rule}  ${finding.text}`;
}

/** Text of the administrator's files by path from the root of the route set; config/load.ts reads them. */
export interface Files {
  /** All paths, sorted. */
  readonly paths: readonly string[];
  text(path: string): string | undefined;
  /** Content of a certificate file that is no text (DER). */
  bytes?(path: string): Uint8Array | undefined;
}

/** A file's text, or its bytes where it is none. */
export function contentOf(files: Files, path: string): string | Uint8Array | undefined {
  return files.text(path) ?? files.bytes?.(path);
}
