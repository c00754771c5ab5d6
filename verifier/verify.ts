/** The verifier alone: `node verifier/verify.ts FILE [CA.pem]`. Exit 0: all of it is true; 1: the reason why not. */
import { readFileSync } from "node:fs";
import { argv } from "node:process";
import { verifyEvidence } from "./evidence.ts";

const [, , file, authority] = argv;
if (file === undefined) {
  console.error("usage: node verifier/verify.ts FILE [CA.pem]");
  process.exitCode = 2;
} else {
  try {
    const verdict = verifyEvidence(readFileSync(file), authority === undefined ? undefined : readFileSync(authority, "utf8"));
    console.log(JSON.stringify(verdict, null, 2));
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    process.exitCode = 1;
  }
}
