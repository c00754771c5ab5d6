/** What the builders of steps are given. */
import type { ContractType, Pattern } from "../../contract/contract.ts";
import type { AvroRecord, Message } from "../../envelope.ts";
import type { Path } from "../documents.ts";
import type { StepDoc } from "../documents-steps.ts";
import type { Mapper, Step } from "../runtime.ts";

export type StepParts = Readonly<{
  /** Of the route's contract: only events and commands are delivered again by an engine. */
  pattern: Pattern;
  /** `file:line` of a node of the document. */
  place(path: Path): string;
  /** Steps inside a step. */
  nested(docs: readonly StepDoc[]): readonly Step[];
  /** The compiled map of a file. Throws `configuration`. */
  map(file: string): Mapper;
  /** A contract's record type by its id. Throws `contract-unknown`. */
  type(id: string): ContractType;
  /** Turns XML text, already scanned, into plain values; undefined = xml-to-json is not offered here. */
  xmlToJson: ((text: string) => Promise<AvroRecord> | AvroRecord) | undefined;
}>;

/** Documents of one kind of step. */
export type DocOf<K extends StepDoc["kind"]> = Extract<StepDoc, { kind: K }>;
export type Builder<K extends StepDoc["kind"]> = (doc: DocOf<K>, parts: StepParts) => Step;

/** The message with another value; its body is encoded again when the steps are done. */
export function withValue(message: Message, value: AvroRecord): Message {
  return { envelope: message.envelope, value };
}
