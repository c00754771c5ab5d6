/**
 * Evidence as one file: an ASiC-E container with CAdES (ETSI EN 319 162-1). The manifest names every file with its SHA-256, and the
 * seal of the bus signs the manifest.
 */
import { hash } from "node:crypto";
import { BusError } from "#bus/errors.ts";
import type { Signer } from "#bus/ports.ts";
import { zip, type ZipFile } from "./zip.ts";

export const MEDIA_TYPE = "application/vnd.etsi.asic-e+zip";

const SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256";
const NAME = /^[A-Za-z0-9][A-Za-z0-9._/-]*$/u;
/** A container that a reader on a small machine still opens: 64 MiB. */
const MOST = 64 * 1024 * 1024;

/** Throws message-too-large above 64 MiB. */
export async function container(files: readonly ZipFile[], signer: Signer): Promise<Uint8Array> {
  const content = [...files, { name: "certificates.pem", bytes: Buffer.from(signer.certificates.join("")) }].toSorted((a, b) =>
    a.name < b.name ? -1 : 1,
  );
  for (const { name } of content)
    if (!NAME.test(name)) throw new BusError("unexpected", `\`${name}\` is no name for a file of a container`);
  const size = content.reduce((sum, file) => sum + file.bytes.length, 0);
  if (size > MOST)
    throw new BusError("message-too-large", `the evidence has ${size} bytes, a container takes ${MOST}: export single messages of it`);
  const manifest = Buffer.from(manifestOf(content));
  const signature = await signer.sign(manifest);
  return zip([
    { name: "mimetype", bytes: Buffer.from(MEDIA_TYPE) },
    ...content,
    { name: "META-INF/ASiCManifest.xml", bytes: manifest },
    { name: "META-INF/signature.p7s", bytes: signature },
  ]);
}

function manifestOf(files: readonly ZipFile[]): string {
  const references = files.map(
    ({ name, bytes }) =>
      `<asic:DataObjectReference URI="${name}"><ds:DigestMethod Algorithm="${SHA256}"/>` +
      `<ds:DigestValue>${hash("sha256", bytes, "base64")}</ds:DigestValue></asic:DataObjectReference>\n`,
  );
  return (
    '<?xml version="1.0" encoding="UTF-8"?>\n' +
    '<asic:ASiCManifest xmlns:asic="http://uri.etsi.org/02918/v1.2.1#" xmlns:ds="http://www.w3.org/2000/09/xmldsig#">\n' +
    `<asic:SigReference URI="META-INF/signature.p7s" MimeType="application/pkcs7-signature"/>\n${references.join("")}</asic:ASiCManifest>\n`
  );
}
