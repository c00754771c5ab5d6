/** The one untyped step: XML to plain values as xml2js gives them, for payloads that no contract describes. The text was scanned before. */
import { parseStringPromise } from "xml2js";
import type { AvroRecord } from "#bus/envelope.ts";

export async function xmlToJson(text: string): Promise<AvroRecord> {
  return (await parseStringPromise(text, { explicitArray: false, explicitCharkey: false, async: false })) as AvroRecord;
}
