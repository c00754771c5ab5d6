/** JSON of a wire shape that nobody described: any object, within limits. A map stands behind it and gives the contract's shape. */
import type { AvroRecord } from "../envelope.ts";
import { BusError } from "../errors.ts";
import type { Codec } from "../wire.ts";

/** Objects and lists inside each other; members and items of one document. */
const LIMITS = { depth: 64, nodes: 100_000 } as const;
const UTF8 = new TextDecoder("utf-8", { fatal: true });
const ENCODER = new TextEncoder();

export const looseJson: Codec = {
  mediaType: "application/json",
  read(bytes) {
    let value: unknown;
    try {
      value = JSON.parse(UTF8.decode(bytes));
    } catch (error) {
      throw new BusError(
        "json-malformed",
        `the document is not JSON: ${error instanceof SyntaxError ? "it does not parse" : "it is not UTF-8"}`,
        { cause: error },
      );
    }
    if (typeof value !== "object" || value === null || Array.isArray(value))
      throw new BusError("json-violation", "the document must be a JSON object");
    measure(value, 1, { left: LIMITS.nodes });
    return value as AvroRecord;
  },
  write(value) {
    return ENCODER.encode(JSON.stringify(value, plain));
  },
};

function measure(value: object, depth: number, count: { left: number }): void {
  if (depth > LIMITS.depth) throw new BusError("json-limit", `the document nests deeper than ${LIMITS.depth}`);
  for (const inner of Object.values(value) as unknown[]) {
    count.left--;
    if (count.left < 0) throw new BusError("json-limit", `the document has over ${LIMITS.nodes} members and items`);
    if (typeof inner === "object" && inner !== null) measure(inner, depth + 1, count);
  }
}

/** As the JSON twin of a contract writes them: bytes as base64, whole numbers beyond 2^53 as text. */
function plain(_: string, value: unknown): unknown {
  if (typeof value === "bigint") return value.toString();
  return value instanceof Uint8Array ? Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("base64") : value;
}
