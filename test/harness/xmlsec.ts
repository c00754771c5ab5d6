/** xmlsec1 as an independent judge of a signed SOAP message: libxml2 reads it, OpenSSL verifies it, nothing of the bus takes part. */
import { spawnSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const WSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd";
const WSA = "http://www.w3.org/2005/08/addressing";
const SIGNED = [
  "http://schemas.xmlsoap.org/soap/envelope/:Body",
  "http://www.w3.org/2003/05/soap-envelope:Body",
  `${WSU}:Timestamp`,
  `${WSA}:RelatesTo`,
  `${WSA}:MessageID`,
  ...["CallingUser", "CallingEntity", "CallBasis", "CallReason"].map((name) => `https://mconnect.gov.md:${name}`),
];

/** `good`, or what xmlsec1 says against it. The certificate's key is the only one it believes. */
export function judgedByXmlsec(message: Uint8Array | string, certificate: string): string {
  const folder = mkdtempSync(join(tmpdir(), "xmlsec-"));
  try {
    const [file, key] = [join(folder, "message.xml"), join(folder, "key.pem")];
    writeFileSync(file, message);
    writeFileSync(key, new X509Certificate(certificate).publicKey.export({ type: "spki", format: "pem" }));
    const ids = SIGNED.flatMap((node) => ["--id-attr:Id", node]);
    const { status, stderr } = spawnSync("xmlsec1", ["--verify", "--enabled-key-data", "rsa,ec", "--pubkey-pem", key, ...ids, file], {
      encoding: "utf8",
    });
    return status === 0 ? "good" : stderr;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
