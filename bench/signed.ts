/**
 * SOAP to SOAP through the bus, signed by WS-Security (RSA 2048 verified, receipt durable, answer signed with RSA 3072), beside the same
 * exchange unsigned on the same bus (the limit); and once more with answers signed by P-256, which costs a fiftieth of RSA. The messages are signed before a round, each one for itself.
 */
import { execFileSync } from "node:child_process";
import { createPrivateKey, hash, sign, X509Certificate } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { OASIS_STYLE } from "#bus/edge/signatures.ts";
import { signEnvelope, type MessageKey } from "#bus/signature/sign.ts";
import type { Figure } from "./figure.ts";
import { load, median, type Measured, type Target } from "./parts/load.ts";
import { REQUEST } from "./parts/messages.ts";
import { startProgram } from "./parts/process.ts";

const HEADERS = { "content-type": "text/xml; charset=utf-8", soapaction: '""', "x-system": "cnas/pensions" };
const PATH = "/mconnect/soap/rsp/population/PersonRegistry";
const IN_FLIGHT = 32;
const ROUNDS = 3;
const WARM_ROUNDS = 3;
const ROUND_MS = 2000;
/** More than a round can use. */
const MESSAGES = 4000;

const signAside = promisify(sign);
const ENVELOPE = Buffer.from(REQUEST.replaceAll(/(<\/?)m:/gu, "$1mcon:").replace("xmlns:m=", "xmlns:mcon="));

/** `soap.signed`: with the bus's usual key; `soap.signed.ecdsa`: with MBUS_SIGNATURE_KEY=ecdsa. */
export async function signedFigures(names: readonly string[]): Promise<readonly Figure[]> {
  const figures: Figure[] = [];
  for (const name of names) figures.push(await figureOf(name, name === "soap.signed" ? "rsa" : "ecdsa"));
  return figures;
}

async function figureOf(name: string, kind: "rsa" | "ecdsa"): Promise<Figure> {
  const folder = mkdtempSync(join(tmpdir(), "mbus-bench-signed-"));
  const provider = await startProgram("./provider.ts", []);
  const { key, file } = makeKey(folder);
  const variables = { "rsp.url": provider.url, "cnas.url": provider.url, "primaria.url": provider.url, "bns.url": provider.url };
  const bus = await startProgram("./bus.ts", [
    JSON.stringify({ ...variables, "vehicles.drop": join(folder, "drop") }),
    "",
    file,
    JSON.stringify({ MBUS_SIGNATURE_KEY: kind }),
  ]);
  try {
    const plain: Target = { url: bus.url, path: PATH, headers: HEADERS, body: REQUEST };
    const rounds: { plain: Measured[]; signed: Measured[] } = { plain: [], signed: [] };
    for (let round = -WARM_ROUNDS; round < ROUNDS; round += 1) {
      const messages = await Promise.all(Array.from({ length: MESSAGES }, () => signed(key)));
      const unsigned = await load(plain, IN_FLIGHT, ROUND_MS);
      const measured = await load({ ...plain, body: () => next(messages) }, IN_FLIGHT, ROUND_MS);
      if (round < 0) continue;
      for (const one of [unsigned, measured])
        if (one.failed > 0) throw new Error(`${one.failed} calls failed, the first with ${one.firstFailure}`);
      rounds.plain.push(unsigned);
      rounds.signed.push(measured);
    }
    const value = median(rounds.signed.map(({ perSecond }) => perSecond));
    const limit = median(rounds.plain.map(({ perSecond }) => perSecond));
    const detail = {
      "p50 ms": median(rounds.signed.map(({ p50 }) => p50)),
      "p99 ms": median(rounds.signed.map(({ p99 }) => p99)),
      "in flight": IN_FLIGHT,
    };
    return { name, value, unit: "exchanges/s", limit, ratio: value / limit, peers: {}, detail };
  } finally {
    await Promise.all([bus.close(), provider.close()]);
    rmSync(folder, { recursive: true, force: true });
  }
}

function next(messages: string[]): string {
  const message = messages.pop();
  if (message === undefined) throw new Error("the round used more messages than were signed for it");
  return message;
}

async function signed(key: MessageKey): Promise<string> {
  return Buffer.from(await signEnvelope(ENVELOPE, { key, style: OASIS_STYLE, now: Date.now(), life: 600_000 })).toString("utf8");
}

function makeKey(folder: string): Readonly<{ key: MessageKey; file: string }> {
  const [keyFile, file] = [join(folder, "signer.key"), join(folder, "signer.pem")];
  const make = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", keyFile, "-out", file, "-days", "2", "-subj", "/CN=signer"];
  execFileSync("openssl", [...make, "-addext", "basicConstraints=critical,CA:FALSE", "-addext", "extendedKeyUsage=clientAuth"], {
    stdio: "ignore",
  });
  const privateKey = createPrivateKey(readFileSync(keyFile, "utf8"));
  const { raw } = new X509Certificate(readFileSync(file, "utf8"));
  return {
    file,
    key: {
      algorithm: "RSA-SHA256",
      certificate: raw.toString("base64"),
      thumbprint: hash("sha256", raw, "base64url"),
      sign: (text) => signAside("sha256", Buffer.from(text), privateKey),
    },
  };
}
