/** The fields that a tap lets out, in the shape they stand in: the bus and route tests take them by the same rule. */
import type { AvroRecord, Message } from "../envelope.ts";
import { compileMessagePath } from "./field-path.ts";
import { put } from "./steps/enrich.ts";

/** `residence.country` and `call.user` stay nested, `headers.NAME` goes under its own name; what is not there is left out. */
export function pickFields(message: Message, fields: readonly string[]): AvroRecord {
  let picked: AvroRecord = {};
  for (const field of fields) {
    const value = compileMessagePath(field)(message);
    const path = field.startsWith("headers.") ? [field.slice("headers.".length)] : field.split(".");
    if (value !== undefined) picked = put(picked, path, value);
  }
  return picked;
}
