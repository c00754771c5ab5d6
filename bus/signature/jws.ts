/** Compact JSON Web Signatures (RFC 7515) over the JSON of REST calls: a short list of headers and algorithms, and keys only of the registry. */
import { hash } from "node:crypto";
import { OASIS_STYLE, type OpenedJws, type SignatureCheck } from "../edge/signatures.ts";
import type { CallContext } from "../envelope.ts";
import { BusError } from "../errors.ts";
import { CALL_NAMES } from "../edge/headers.ts";
import { verifies, type SignatureMethod } from "./algorithms.ts";
import { factsOf, type CertificateFacts } from "./certificates.ts";
import type { MessageKey } from "./sign.ts";
import { checkTimes, rememberFor } from "./time.ts";

const ALGORITHMS: ReadonlyMap<unknown, SignatureMethod> = new Map([
  ["RS256", { name: "RS256", hash: "sha256", key: "rsa" }],
  ["ES256", { name: "ES256", hash: "sha256", key: "ec" }],
]);
const MAX_HEADER = 16 * 1024;
const NAMES = new Set(["alg", "kid", "x5t#S256", "typ", "cty", "iat", "exp", "jti", ...CALL_NAMES.map(([, name]) => name)]);

const shape = (text: string): BusError => new BusError("signature-shape", text);

type Header = Readonly<Record<string, unknown>>;

/** Throws signature-*; the payload that it gives is what was signed. */
export function openJws(token: string, check: SignatureCheck): OpenedJws {
  const [head = "", body = "", value = "", ...more] = token.trim().split(".");
  if (more.length > 0 || value === "") throw shape("a compact JWS has three parts with a dot between each two");
  const header = headerOf(head);
  const method = ALGORITHMS.get(header["alg"]);
  if (method === undefined)
    throw new BusError("signature-algorithm", `the algorithm "${String(header["alg"]).slice(0, 40)}" is not accepted; use RS256 or ES256`);
  const signature = base64url(value, "the signature");
  const payload = base64url(body, "the payload");
  const candidates = candidatesOf(header, check);
  const input = `${head}.${body}`;
  const signer = candidates.find(({ key }) => verifies(method, key, input, signature));
  if (signer === undefined)
    throw new BusError("signature-wrong", "the signature does not fit header and payload under the key that it names");
  const created = seconds(header, "iat");
  checkFreshness(created, seconds(header, "exp"), check);
  const tellable = created !== undefined || header["jti"] !== undefined;
  return {
    payload,
    call: callOf(header),
    signed: {
      certificate: signer.sha256,
      algorithm: method.name,
      created,
      seen: hash("sha256", input),
      remember: tellable ? rememberFor(check.window) : 0,
      covers: check.covers,
      style: OASIS_STYLE,
    },
  };
}

function headerOf(text: string): Header {
  if (text.length > MAX_HEADER) throw shape(`a JWS header may have at most ${MAX_HEADER} characters`);
  let header: unknown;
  try {
    header = JSON.parse(base64url(text, "the header").toString("utf8"));
  } catch (error) {
    if (error instanceof BusError) throw error;
    throw shape("the JWS header is no JSON");
  }
  if (typeof header !== "object" || header === null || Array.isArray(header)) throw shape("the JWS header is no JSON object");
  const unknown = Object.keys(header).find((name) => !NAMES.has(name));
  if (unknown !== undefined)
    throw shape(`the JWS header has "${unknown.slice(0, 40)}", which is not taken here; known are ${[...NAMES].join(", ")}`);
  return header as Header;
}

function base64url(text: string, what: string): Buffer {
  const bytes = Buffer.from(text, "base64url");
  if (text === "" || bytes.toString("base64url") !== text) throw shape(`${what} of the JWS is not base64url`);
  return bytes;
}

/** `kid` and `x5t#S256` select; without them any registered certificate may have signed. */
function candidatesOf(header: Header, check: SignatureCheck): readonly CertificateFacts[] {
  const { kid, "x5t#S256": x5t } = header;
  const all = check.certificates.map(factsOf);
  const found = all.filter((facts) => {
    const thumbprint = Buffer.from(facts.sha256, "hex").toString("base64url");
    if (x5t !== undefined && x5t !== thumbprint) return false;
    return (
      kid === undefined ||
      kid === facts.sha256 ||
      kid === thumbprint ||
      (typeof kid === "string" && kid.toLowerCase() === facts.serial.toString(16))
    );
  });
  if (found.length > 0) return found;
  throw new BusError(
    "signature-key",
    all.length === 0
      ? "no certificate of the sender is registered, so nothing that it signs can be believed"
      : "`kid` or `x5t#S256` names none of the sender's registered certificates (`kid`: SHA-256 or serial number, hex)",
  );
}

/** Milliseconds of a NumericDate. */
function seconds(header: Header, name: string): number | undefined {
  const value = header[name];
  if (value === undefined) return undefined;
  if (typeof value !== "number" || !Number.isFinite(value) || value < 0 || value > 1e11)
    throw shape(`\`${name}\` of the JWS is no time in seconds`);
  return Math.floor(value * 1000);
}

function checkFreshness(created: number | undefined, expires: number | undefined, check: SignatureCheck): void {
  if (created !== undefined) checkTimes(created, expires, check.now, check.window);
  else if (check.covers === "message") throw new BusError("signature-coverage", "the protected header must say when it was signed (`iat`)");
  else if (expires !== undefined && expires + check.window.skew <= check.now)
    throw new BusError("signature-expired", "the JWS is past its `exp`");
}

function callOf(header: Header): CallContext {
  const call: Record<string, string> = {};
  for (const [key, name] of CALL_NAMES) {
    const value = header[name];
    if (value === undefined) continue;
    if (typeof value !== "string") throw shape(`\`${name}\` of the JWS is no text`);
    if (value !== "") call[key] = value;
  }
  return call;
}

/** A compact JWS by the bus. `type`: media type of the payload, without `application/`. */
export async function writeJws(payload: Uint8Array | string, type: string, key: MessageKey, now: number, id: string): Promise<string> {
  const header = {
    alg: key.algorithm === "RSA-SHA256" ? "RS256" : "ES256",
    "x5t#S256": key.thumbprint,
    cty: type,
    iat: Math.floor(now / 1000),
    jti: id,
  };
  const input = `${Buffer.from(JSON.stringify(header)).toString("base64url")}.${Buffer.from(payload).toString("base64url")}`;
  return `${input}.${Buffer.from(await key.sign(input)).toString("base64url")}`;
}
