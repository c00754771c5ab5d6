/**
 * Signed notes and checkpoints (C2SP signed-note and tlog-checkpoint): text, an empty line, and a line with the signature. A checkpoint
 * says the log's name, its size and its root; who has two of them can ask for proof that the later one only adds.
 */
import { hash } from "node:crypto";

/** Signs with an Ed25519 key that never leaves its holder. */
export interface NoteSigner {
  /** Name of the key and of the log: no spaces, no `+`. */
  readonly name: string;
  /** Raw public key, 32 bytes. */
  readonly publicKey: Uint8Array;
  sign(bytes: Uint8Array): Promise<Uint8Array>;
}

const ED25519 = Buffer.of(1);

/** First four bytes of SHA-256(name ‖ newline ‖ 0x01 ‖ public key). */
export function keyId(name: string, publicKey: Uint8Array): Uint8Array {
  return hash("sha256", Buffer.concat([Buffer.from(`${name}\n`), ED25519, publicKey]), "buffer").subarray(0, 4);
}

/** What a reader needs to check notes of this key: `<name>+<key id>+<base64 of type and key>`. */
export function verifierKey({ name, publicKey }: Pick<NoteSigner, "name" | "publicKey">): string {
  return `${name}+${Buffer.from(keyId(name, publicKey)).toString("hex")}+${Buffer.concat([ED25519, publicKey]).toString("base64")}`;
}

export async function signCheckpoint(signer: NoteSigner, size: number, root: Uint8Array): Promise<string> {
  const text = `${signer.name}\n${size}\n${Buffer.from(root).toString("base64")}\n`;
  const signature = Buffer.concat([keyId(signer.name, signer.publicKey), await signer.sign(Buffer.from(text))]);
  return `${text}\n— ${signer.name} ${signature.toString("base64")}\n`;
}

/** Proof of one entry in the form of C2SP tlog-proof: where it stands, its siblings, and the checkpoint. */
export function proofText(index: number, path: readonly Uint8Array[], checkpoint: string): string {
  const siblings = path.map((each) => `${Buffer.from(each).toString("base64")}\n`).join("");
  return `c2sp.org/tlog-proof@v1\nindex ${index}\n${siblings}\n${checkpoint}`;
}
