/** Mocked receivers: outlets that write what they send as the real ones would, and answer as the case says. */
import type { AvroRecord, Message } from "../../envelope.ts";
import { BusError, CODES, type ErrorClass, type ErrorCode } from "../../errors.ts";
import type { Clock, Outlet } from "../../ports.ts";
import { isTopicEdge } from "../compile-topics.ts";
import type { MockDoc } from "../documents-test.ts";
import type { Binding, Branch, Route } from "../runtime.ts";
import { push, type Observed } from "./observed.ts";

export type MockParts = Readonly<{
  route: Route;
  clock: Clock;
  mocks: Readonly<Record<string, readonly MockDoc[]>>;
  /** Bytes of a file of the tests. Throws `configuration`. */
  bytes(file: string): Uint8Array;
  seen: Observed;
  /** Values in the contract's shape, noted before a branch's map, by message. */
  before: WeakMap<object, AvroRecord>;
}>;

const DECODER = new TextDecoder();

/** Outlets of a branch, one per address. The branch's last mock repeats. */
export function mockOutlets(parts: MockParts, branch: Branch): readonly Outlet[] {
  const addresses = branch.addresses.length > 0 ? branch.addresses : [`topic:${branch.name}`];
  let asked = 0;
  return addresses.map((endpoint) => ({
    endpoint,
    async send(message, signal) {
      note(parts, branch, message);
      const answers = parts.mocks[branch.name] ?? [];
      const answer = answers[Math.min(asked++, answers.length - 1)];
      if (answer !== undefined) return answerOf(parts, branch.binding, answer, signal);
      if (branch.binding.kind === "topic" || isTopicEdge(branch.binding.kind)) return undefined;
      throw new BusError("configuration", `the case has no mock for \`${branch.name}\`; add \`mocks: { ${branch.name}: { reply: … } }\``);
    },
    close: () => Promise.resolve(),
  }));
}

function note(parts: MockParts, branch: Branch, message: Message): void {
  const text = write(branch.binding, message);
  const value = parts.before.get(message.envelope) ?? message.value;
  parts.seen.attempts++;
  push(parts.seen.sent, branch.name, { contract: message.envelope.contract, value, wire: message.value, text });
}

/** The bytes the real outlet would send; a value that does not fit the receiver's format fails here as it would there. */
function write(binding: Binding, message: Message): string | undefined {
  const { service, operation, codec } = binding;
  if (service !== undefined && operation !== undefined) {
    return DECODER.decode(service.writeRequest("1.1", operation, message.value, message.envelope.call));
  }
  return codec === undefined ? undefined : DECODER.decode(codec.write(message.value));
}

async function answerOf(parts: MockParts, binding: Binding, answer: MockDoc, signal: AbortSignal): Promise<AvroRecord | undefined> {
  if (answer.kind === "fail") {
    if (answer.class === "timeout") await untilAborted(signal);
    throw failureOf(answer.class, answer.code);
  }
  if ("json" in answer) return { ...answer.json };
  return readAnswer(binding, parts.bytes(answer.file));
}

/** As the real outlets judge an answer: a fault in it is the provider's, and so is an answer that its contract does not know. */
function readAnswer(binding: Binding, bytes: Uint8Array): AvroRecord | undefined {
  const { service, operation, replyCodec } = binding;
  try {
    return service !== undefined && operation !== undefined ? service.readReply(operation, bytes) : replyCodec?.read(bytes);
  } catch (error) {
    if (error instanceof BusError && error.class === "provider-fault") throw error;
    const why = error instanceof Error ? error.message : "it cannot be read";
    throw new BusError("provider-reply-invalid", `the provider's answer is not usable: ${why}`, { cause: error });
  }
}

/** A provider that does not answer: the attempt's own timeout ends it, on the virtual clock. */
function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const stop = (): void => reject(signal.reason as Error);
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
  });
}

/** An error of a class: with the code, where it is one of the bus, else as the provider's own code. */
export function failureOf(errorClass: ErrorClass, code: string | undefined): BusError {
  const own = code !== undefined && code in CODES && CODES[code as ErrorCode][0] === errorClass ? (code as ErrorCode) : undefined;
  const chosen = own ?? (Object.keys(CODES) as ErrorCode[]).find((known) => CODES[known][0] === errorClass) ?? "unexpected";
  const details = own === undefined && code !== undefined ? { providerCode: code } : {};
  return new BusError(chosen, `mocked failure: ${errorClass}${code === undefined ? "" : ` (${code})`}`, details);
}

/** The answer of a mocked contract that an `enrich` asks. */
export async function mockedAnswer(parts: MockParts, contract: string, asked: number): Promise<AvroRecord> {
  const answers = parts.mocks[contract] ?? [];
  const answer = answers[Math.min(asked, answers.length - 1)];
  if (answer === undefined) throw new BusError("configuration", `the case has no mock for contract \`${contract}\`, which a step asks`);
  if (answer.kind === "fail") throw failureOf(answer.class, answer.code);
  return "json" in answer ? { ...answer.json } : (JSON.parse(DECODER.decode(parts.bytes(answer.file))) as AvroRecord);
}
