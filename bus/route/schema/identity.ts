/** What a `system` document says of its identity: certificates, GUID, settings for services, whom it may act for, signatures. */
import { anything, dictionary, file, list, map, matching, oneOf, yesNo, type Schema } from "./schema.ts";

export const identity: Readonly<Record<string, Schema>> = {
  certificates: list(
    file("File of a system certificate, PEM or DER.", "./population.cer"),
    "Its certificates; while one is replaced by the next, both.",
    ["./population.cer"],
    { maxItems: 8 },
  ),
  guid: matching(
    "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
    "write a GUID in lower case, or leave it out to have it made from the id",
    "Its GUID in the register of systems.",
    "3fa85f64-5717-4562-b3fc-2c963f66afa6",
  ),
  settings: dictionary(anything("What this service knows of the system.", { viewAll: true }), "By service, what it knows of this system.", {
    mpower: { viewAll: true },
  }),
  actsFor: list(
    matching("^[0-9]{13}$", "write 13 digits in quotes", "IDNO of an institution.", "1003600034203", { "x-kind": "idno" }),
    "Institutions that let this system act for them.",
    ["1003600034203"],
  ),
  signatures: map(
    {
      required: yesNo("Every message of it must be signed.", true),
      rsaSha1: yesNo("RSA with SHA-1 is taken from it too, as from old software.", false),
      covers: oneOf(
        ["message", "body"],
        "What its signature must cover: the whole message (Body, Timestamp, call context and addressing), or Body and Timestamp only.",
      ),
    },
    [],
    "Signatures on its messages.",
  ),
};
