/** The part of a contract document that makes it a type of MConnect Events. */
import { duration, fieldPath, file, list, map, matching, systemId, text } from "./schema.ts";

const source = map(
  {
    system: systemId("System that publishes.", "rsp/population"),
    uris: list(
      matching("^[\\x21-\\x7e]{1,200}$", "write a URI without spaces", "A `source` it may speak for.", "/rsp/population"),
      "What it may write as `source` of an event; the first stands for events of it that came another way.",
      ["/rsp/population"],
      { minItems: 1, maxItems: 100 },
    ),
  },
  ["system", "uris"],
  "A producer and its sources.",
);

export const events = map(
  {
    type: matching(
      "^[A-Za-z][A-Za-z0-9]*(\\.[A-Za-z][A-Za-z0-9]*){3,5}$",
      "write Organization.System.Entity.Action",
      "Name of the type.",
      "RSP.Population.Person.Changed",
      { maxLength: 120 },
    ),
    schema: file(
      "JSON Schema of `data` (Draft 6, Draft 7, 2019-09 or 2020-12), beside what the contract says.",
      "./person.changed.v1.schema.json",
    ),
    sources: list(source, "Who may produce it through MConnect Events; nobody where this is missing.", [
      { system: "rsp/population", uris: ["/rsp/population"] },
    ]),
    retention: duration("How far back a new group of consumers begins; default 5 days, at most 31.", "5d"),
    partitionKey: fieldPath("Field whose value keeps events in order; default: the field that the schema marks as key.", "idnp"),
    personal: map(
      {
        subject: fieldPath("Field with the IDNP of the person; default: the contract's subject.", "idnp"),
        basis: text("Legal basis of the processing; default: what the consumer's grant says.", "Law 142/2018, art. 6", { maxLength: 256 }),
        basisField: fieldPath("Field that holds the legal basis.", "eventBasis"),
        reason: text("Reason of the processing; default: what the consumer's grant says.", "data-exchange", { maxLength: 512 }),
        reasonField: fieldPath("Field that holds the reason.", "eventReason"),
      },
      [],
      "What is written down of each event that a consumer confirmed: personal data was passed on.",
    ),
  },
  ["type"],
  "Makes the event a type of MConnect Events.",
);
