/** `mbus evidence ID -o FILE`: what the bus can prove of an exchange, and `mbus verify FILE`: is it so? */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Refused } from "#verifier/archive.ts";
import { verifyEvidence, type Verdict } from "#verifier/evidence.ts";
import { adminBytes } from "./client.ts";
import { CommandFailed, print, table, when, type Output } from "./output.ts";

export async function evidence(output: Output, id: string, file: string): Promise<number> {
  const bytes = await adminBytes(`/messages/${encodeURIComponent(id)}/evidence`);
  writeFileSync(file, bytes, { mode: 0o600 }); // it holds personal data
  print(
    output,
    { id, file, bytes: bytes.length },
    `evidence of ${id}: ${bytes.length} bytes in ${file}; check it with \`mbus verify ${file}\``,
  );
  return 0;
}

/** `authority`: file of the certificate to trust; without it that of the data folder, where there is one. */
export function verify(output: Output, file: string, authority: string | undefined): number {
  const bytes = read(file);
  const trusted = authority === undefined ? own() : read(authority).toString();
  try {
    const verdict = verifyEvidence(bytes, trusted);
    print(output, { verified: true, ...verdict }, textOf(verdict));
    return 0;
  } catch (error) {
    if (!(error instanceof Refused) && !(error instanceof SyntaxError) && (error as NodeJS.ErrnoException).code === undefined) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    print(output, { verified: false, reason }, `${file} proves nothing: ${reason}`);
    return 1;
  }
}

function read(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new CommandFailed(`${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`, 2);
  }
}

function own(): string | undefined {
  try {
    return readFileSync(join(process.env["MBUS_DATA_DIR"] ?? ".mbus", "keys", "ca.cert.pem"), "utf8");
  } catch {
    return undefined;
  }
}

function textOf(verdict: Verdict): string {
  const rows = table(
    verdict.entries,
    [
      { title: "position", value: (row) => row.position, right: true },
      { title: "time (UTC)", value: (row) => when(row.time) },
      { title: "step", value: (row) => row.step },
      { title: "outcome", value: (row) => row.outcome },
      { title: "contract", value: (row) => text(row["contract"]) },
      { title: "system", value: (row) => text(row["target"] ?? row["system"]) },
      { title: "id", value: (row) => row.id },
    ],
    "",
  );
  const { authority, log, stamp } = verdict;
  return [
    rows,
    "",
    `verified: every byte. Sealed ${verdict.sealedAt} by ${verdict.sealedBy}, in the log ${log.name} of ${log.size} entries; ${verdict.messages} messages.`,
    stamp
      ? `all of it existed at ${stamp.at}, says ${stamp.by}${stamp.authority.trusted ? ", whose authority you trust" : `; its authority is ${stamp.authority.subject}, compare its fingerprint too: ${stamp.authority.sha256}`}`
      : "no time-stamp: when it existed is only the bus's word.",
    authority.trusted
      ? `the authority is the one you trust: ${authority.subject}`
      : `the authority is ${authority.subject}; compare its fingerprint with a source you trust: ${authority.sha256}`,
  ].join("\n");
}

const text = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined);
