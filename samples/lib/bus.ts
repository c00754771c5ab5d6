/** How the samples' systems speak to the bus: like any other outsider, over the wire. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Client } from "soap";

/** Who asks, for whom and why; every MConnect call says so. */
export type CallContext = Readonly<{ user: string; entity: string; basis: string; reason: string }>;

const MCONNECT = "https://mconnect.gov.md";
const ADDRESSING = "http://www.w3.org/2005/08/addressing";

export const callElements = (call: CallContext): Readonly<Record<string, string>> => ({
  CallingUser: call.user,
  CallingEntity: call.entity,
  CallBasis: call.basis,
  CallReason: call.reason,
});

const escape = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

/** An answer in the words of JSON: the body's element, or the fault. */
export type SoapAnswer = Readonly<{ ok: true; value: Readonly<Record<string, unknown>> } | { ok: false; fault: string }>;

/** A SOAP service of the bus, spoken to with the stock `soap` package by the WSDL that the bus serves. */
export interface BusService {
  call(operation: string, input: object, options: Readonly<{ messageId?: string; call?: CallContext }>): Promise<SoapAnswer>;
}

const TIMEOUT = 15_000;

/** The WSDL is fetched with the first call, and again when that failed. */
export function busService(address: string, system: string): BusService {
  let client: Promise<Client> | undefined;
  const connect = (): Promise<Client> => {
    const started = load(address, system);
    started.catch(() => (client = undefined));
    return started;
  };
  return {
    async call(operation, input, { messageId, call }) {
      const service = await (client ??= connect());
      service.clearSoapHeaders();
      for (const [name, text] of Object.entries(call ? callElements(call) : {})) {
        service.addSoapHeader(`<mc:${name} xmlns:mc="${MCONNECT}">${escape(text)}</mc:${name}>`);
      }
      if (messageId !== undefined) {
        service.addSoapHeader(`<wsa:MessageID xmlns:wsa="${ADDRESSING}">${escape(messageId)}</wsa:MessageID>`);
      }
      const act = (service as unknown as Record<string, Call>)[`${operation}Async`];
      if (!act) throw new Error(`the service at ${address} has no operation ${operation}`);
      try {
        const [value] = await act.call(
          service,
          fit(input, inputOf(service, operation)) as object,
          { timeout: TIMEOUT },
          { "X-System": system },
        );
        return { ok: true, value: value ?? {} };
      } catch (error) {
        const fault = faultOf(error);
        if (fault === undefined) throw error;
        return { ok: false, fault };
      }
    },
  };
}

type Call = (input: object, options: object, headers: object) => Promise<readonly [Record<string, unknown> | null, ...unknown[]]>;

async function load(address: string, system: string): Promise<Client> {
  const { createClientAsync } = await import("soap");
  return createClientAsync(`${address}?wsdl`, { wsdl_headers: { "X-System": system }, disableCache: true }, address);
}

/** What the WSDL says of an operation's input: element names, those of lists with `[]` behind. */
function inputOf(service: Client, operation: string): unknown {
  const ports = Object.values(service.describe() as Readonly<Record<string, object>>).flatMap((port) => Object.values(port) as object[]);
  const operations = ports.map((port) => (port as Readonly<Record<string, { input?: unknown }>>)[operation]);
  return operations.find((found) => found !== undefined)?.input;
}

/** The value in the order and with the names of the WSDL's elements, which differ from ours in capitals only. */
function fit(value: unknown, described: unknown): unknown {
  if (Array.isArray(value)) return value.map((item: unknown) => fit(item, described));
  if (typeof value !== "object" || value === null || typeof described !== "object" || described === null) return value;
  const given = new Map(Object.entries(value).map(([name, inner]) => [name.toLowerCase(), inner as unknown]));
  const fitted: Record<string, unknown> = {};
  for (const [name, inner] of Object.entries(described)) {
    const element = name.replace(/\[\]$/u, "");
    const own = given.get(element.toLowerCase());
    if (own === undefined) continue;
    const names = wrapper(inner);
    fitted[element] = Array.isArray(own) && names !== undefined ? { [names.element]: fit(own, names.inner) } : fit(own, inner);
  }
  return fitted;
}

/** An element that only holds a list of others. */
function wrapper(described: unknown): Readonly<{ element: string; inner: unknown }> | undefined {
  if (typeof described !== "object" || described === null) return undefined;
  const [first, ...rest] = Object.entries(described).filter(([name]) => !name.startsWith("targetN"));
  return first?.[0].endsWith("[]") === true && rest.length === 0
    ? { element: first[0].slice(0, -2), inner: first[1] as unknown }
    : undefined;
}

/** The text of a SOAP fault; undefined when the error is of another kind (no answer, no bus). */
function faultOf(error: unknown): string | undefined {
  const fault = (error as { root?: { Envelope?: { Body?: { Fault?: Readonly<Record<string, unknown>> } } } }).root?.Envelope?.Body?.Fault;
  if (!fault) return undefined;
  const text = fault["faultstring"] ?? (fault["Reason"] as { Text?: unknown } | undefined)?.Text;
  return typeof text === "string" ? text : JSON.stringify(text ?? fault);
}

export type RestAnswer = Readonly<{ status: number; value: Readonly<Record<string, unknown>> }>;

/** `POST /mconnect/rest/<contract>` as a system, with the call context as HTTP headers (ASCII only, percent-encoded where not). */
export async function postJson(
  address: string,
  system: string,
  body: object,
  options: Readonly<{ messageId?: string; call?: CallContext; headers?: Readonly<Record<string, string>> }>,
): Promise<RestAnswer> {
  const headers: Record<string, string> = { "content-type": "application/json", "x-system": system, ...options.headers };
  for (const [name, text] of Object.entries(options.call ? callElements(options.call) : {})) headers[name] = text;
  if (options.messageId !== undefined) headers["x-message-id"] = options.messageId;
  return answerOf(await fetch(address, { method: "POST", headers, body: JSON.stringify(body), signal: AbortSignal.timeout(TIMEOUT) }));
}

export async function getJson(address: string, system: string): Promise<RestAnswer> {
  return answerOf(await fetch(address, { headers: { "x-system": system }, signal: AbortSignal.timeout(TIMEOUT) }));
}

async function answerOf(response: Response): Promise<RestAnswer> {
  const text = await response.text();
  return { status: response.status, value: text === "" ? {} : (JSON.parse(text) as Record<string, unknown>) };
}

/** Waits between attempts while the bus does not answer: 50 ms, then twice as long each time, at most `longest`. */
export async function backOff(attempt: number, longest: number, signal: AbortSignal): Promise<void> {
  await sleep(Math.min(longest, 50 * 2 ** Math.min(attempt, 12)), undefined, { signal }).catch(() => undefined);
}
