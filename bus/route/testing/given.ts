/** What a case gives, as the source's inlet would hand it in: values with headers, call context and the sending system. */
import { MCONNECT_NS } from "../../contract/xml/envelope.ts";
import type { AvroRecord, CallContext } from "../../envelope.ts";
import { BusError } from "../../errors.ts";
import { CALL_NAMES } from "../../access/call-context.ts";
import type { CaseDoc } from "../documents-test.ts";
import type { Route, Source } from "../runtime.ts";

/** `mapped`: the value is in the wire's shape and still has to go through the source's map. */
export type Given = Readonly<{
  source: Source;
  system: string | undefined;
  call: CallContext;
  values: readonly Readonly<{ value: AvroRecord; mapped: boolean }>[];
}>;

const ENCODER = new TextEncoder();

/**
 * A file is read by the source's own codec. JSON is what the outside would send to an `http` source; for every other source it is
 * a message in the contract's shape, since their formats are no JSON.
 */
export async function readGiven(route: Route, given: CaseDoc["given"], bytes: (file: string) => Uint8Array): Promise<Given> {
  const source = given.from === undefined ? route.sources[0] : route.sources.find((one) => one.name === given.from);
  if (source === undefined)
    throw new BusError(
      "configuration",
      `route \`${route.id}\` has no source \`${given.from ?? ""}\`; it has ${route.sources.map((one) => one.name).join(", ")}`,
    );
  const system = given.system ?? source.system;
  const { service, codec, splitter } = source.binding;
  if (given.file === undefined) {
    const json = { ...given.json };
    if (codec !== undefined)
      return { source, system, call: given.call, values: [{ value: codec.read(ENCODER.encode(JSON.stringify(json))), mapped: true }] };
    return { source, system, call: given.call, values: [{ value: json, mapped: false }] };
  }
  const content = bytes(given.file);
  if (service !== undefined) {
    const message = service.readRequest(content);
    return { source, system, call: { ...callOf(message.headers), ...given.call }, values: [{ value: message.value, mapped: true }] };
  }
  if (codec !== undefined) return { source, system, call: given.call, values: [{ value: codec.read(content), mapped: true }] };
  if (splitter === undefined) throw new BusError("configuration", `a ${source.binding.kind} source reads no file; give \`json\``);
  const values: { value: AvroRecord; mapped: boolean }[] = [];
  for await (const piece of splitter.split(once(content))) values.push({ value: piece.read(), mapped: true });
  return { source, system, call: given.call, values };
}

async function* once(content: Uint8Array): AsyncIterable<Uint8Array> {
  yield content;
}

function callOf(headers: ReadonlyMap<string, string>): CallContext {
  const call: Record<string, string> = {};
  for (const [key, name] of Object.entries(CALL_NAMES)) {
    const text = headers.get(`{${MCONNECT_NS}}${name}`);
    if (text !== undefined) call[key] = text;
  }
  return call;
}
