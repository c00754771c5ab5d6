/**
 * The files of a message's evidence: each record of it as the log's entry with its proof, the messages it speaks of, their schemas,
 * the key of the log and a page for people. All a reader needs offline but the certificate of the authority.
 */
import { redeem } from "../claim-check.ts";
import { BusError } from "../errors.ts";
import type { StoredRecord } from "../journal/record.ts";
import type { Registry, Store } from "../ports.ts";
import type { EvidenceLog } from "./log.ts";
import type { StampedCheckpoint, Stamps } from "./stamps.ts";

export type EvidenceFile = Readonly<{ name: string; bytes: Uint8Array }>;

/** `stamps`: undefined = no authority stamps the log. */
export type ExportParts = Readonly<{ log: EvidenceLog; registry: Registry; store: Store; stamps?: Pick<Stamps, "covering"> | undefined }>;

/** Records of one exchange that go into one file. */
export const RECORDS = 1000;

/** `records`: every row of the exchange, oldest first. Throws not-found for none, evidence-broken for one that was changed. */
export async function evidenceOf(parts: ExportParts, id: string, records: readonly StoredRecord[]): Promise<readonly EvidenceFile[]> {
  if (records.length === 0) throw new BusError("not-found", `no message, correlation or ticket has the id \`${id}\``);
  let stamp: StampedCheckpoint | undefined;
  const { stamps } = parts;
  const under = stamps && (async (least: number): Promise<StampedCheckpoint> => (stamp = await stamps.covering(least)));
  const proofs = await parts.log.prove(records.slice(0, RECORDS), under);
  const files: EvidenceFile[] = [];
  const schemas = new Map<number, string>();
  for (const [at, { entry, proof }] of proofs.entries()) {
    const record = records[at];
    if (!record) continue;
    files.push({ name: `entries/${record.position}.json`, bytes: entry }, textFile(`proofs/${record.position}.tlog-proof`, proof));
    if (record.original) files.push({ name: `originals/${record.position}.bin`, bytes: record.original });
    if (!record.envelope) continue;
    const { body } = await redeem(parts.store, record.envelope);
    files.push({ name: `messages/${record.position}.avro`, bytes: body });
    const schema = schemaId(body);
    if (schema !== undefined && !schemas.has(schema)) schemas.set(schema, await parts.registry.schema(schema));
  }
  for (const [number, schema] of schemas) files.push(textFile(`schemas/${number}.avsc`, schema));
  if (stamp) {
    const { token, checkpoint, authority } = stamp;
    files.push(
      { name: "stamp/token.tst", bytes: token },
      textFile("stamp/checkpoint.txt", checkpoint),
      textFile("stamp/authority.pem", authority),
    );
  }
  files.push(textFile("log.vkey", `${parts.log.verifierKey}\n`), textFile("README.txt", page(id, records)));
  return files;
}

/** Id in the Confluent framing: a zero byte and four bytes, big-endian. */
function schemaId(body: Uint8Array): number | undefined {
  if (body.length < 5 || body[0] !== 0) return undefined;
  return new DataView(body.buffer, body.byteOffset, body.byteLength).getUint32(1);
}

const textFile = (name: string, text: string): EvidenceFile => ({ name, bytes: Buffer.from(text) });

function page(id: string, records: readonly StoredRecord[]): string {
  const rows = records.slice(0, RECORDS).map((record) => {
    const who = [record.system, record.target].filter((each) => each !== undefined).join(" -> ");
    return `  ${new Date(record.time).toISOString()}  ${record.step} (${record.outcome})  ${record.contract ?? ""}  ${who}  position ${record.position}`;
  });
  const more = records.length > RECORDS ? [`  … the exchange has ${records.length} records; the first ${RECORDS} are here`] : [];
  return [
    `Evidence of the exchange of message ${id}`,
    "",
    ...rows,
    ...more,
    "",
    "entries/    what the journal of the bus recorded, one file a record; messages stand in it by their SHA-256",
    "proofs/     for each entry, that it stands in the bus's log (C2SP tlog-proof, RFC 6962)",
    "messages/   the messages as Avro in Confluent framing; schemas/ has the schema of each; originals/ refused ones as they came",
    "log.vkey    key of the log's checkpoints",
    "stamp/      the time-stamp (RFC 3161) over the checkpoint that all proofs lead to: all of this existed at its time",
    "META-INF/   the signature over all of this (ETSI EN 319 162-1, ASiC-E with CAdES)",
    "",
    "Check it offline: mbus verify FILE --ca ca.pem, with the authority's certificate from a source you trust.",
    "",
  ].join("\n");
}
