/**
 * A SOAP service made of the stock `soap` package and a WSDL file, in SOAP 1.1 and 1.2 at one address. The package is loaded when
 * the program already listens; requests that come before wait for it.
 */
import { readFileSync } from "node:fs";
import type { Server } from "soap";
import type { Received, Reply } from "./host.ts";

type Headers = Readonly<Record<string, string | string[] | undefined>>;
/** One operation: takes the body's element as an object, gives the answer's. Throw a SoapFault to refuse. */
export type Operation = (input: Readonly<Record<string, unknown>>, headers: Headers) => unknown;

export type Face = Readonly<{
  /** File of the WSDL; its one service and the names of its two ports. */
  wsdl: URL;
  service: string;
  ports: Readonly<{ "1.1": string; "1.2": string }>;
  operations: Readonly<Record<string, Operation>>;
}>;

/** A refusal with the service's own fault code, a name in the WSDL's namespace. `detail` is the XML of the fault's element. */
export class SoapFault extends Error {
  override readonly name = "SoapFault";
  readonly code: string;
  readonly detail: string;
  constructor(code: string, message: string, detail: string) {
    super(message);
    this.code = code;
    this.detail = detail;
  }
}

type Version = "1.1" | "1.2";
const ENVELOPE_12 = "http://www.w3.org/2003/05/soap-envelope";

/** Handlers of the face: POST for messages, GET ?wsdl for the description with `address` in it. */
export function soapFace(face: Face): Readonly<{ post: (received: Received) => Promise<Reply>; get: (address: string) => Reply }> {
  const xml = readFileSync(face.wsdl, "utf8");
  const servers = Promise.all([load(face, xml, "1.1"), load(face, xml, "1.2")]);
  servers.catch(() => undefined); // shown by the first request
  return {
    async post(received) {
      const version: Version = received.body.includes(ENVELOPE_12) ? "1.2" : "1.1";
      const [first, second] = await servers;
      const server = version === "1.1" ? first : second;
      const headers = { ...received.headers, soapaction: action(received.headers) };
      const result = await server.processRequest(received.body, { method: "POST", url: received.path, headers });
      const type = version === "1.1" ? "text/xml" : "application/soap+xml";
      return { status: result.statusCode, headers: { "content-type": `${type}; charset=utf-8` }, body: result.body };
    },
    get: (address) => ({
      status: 200,
      headers: { "content-type": "text/xml; charset=utf-8" },
      body: xml.replaceAll(/(<soap(?:12)?:address location=")[^"]*/gu, `$1${address}`),
    }),
  };
}

/** SOAP 1.2 carries the action as a parameter of the media type. */
function action(headers: Received["headers"]): string {
  const own = headers["soapaction"];
  if (typeof own === "string") return own;
  return /action="?([^";]*)/u.exec(headers["content-type"] ?? "")?.[1] ?? "";
}

async function load(face: Face, xml: string, version: Version): Promise<Server> {
  const { createServerless } = await import("soap");
  const operations = Object.fromEntries(
    Object.entries(face.operations).map(([name, act]) => [name, (...call: unknown[]) => run(act, call, version)]),
  );
  const port = { [face.ports["1.1"]]: operations, [face.ports["1.2"]]: operations };
  const options = { path: "/", services: { [face.service]: port }, xml, suppressStack: true, forceSoap12Headers: version === "1.2" };
  const ready = Promise.withResolvers<void>();
  const server = await createServerless({
    ...options,
    callback: (error: unknown) => (error ? ready.reject(error) : ready.resolve()),
  });
  await ready.promise;
  return server;
}

/** The package calls an operation with (input, callback, soapHeaders, request). */
async function run(act: Operation, call: readonly unknown[], version: Version): Promise<unknown> {
  const [input, , , request] = call as [Record<string, unknown> | null, unknown, unknown, Readonly<{ headers: Headers }>];
  try {
    return await act(input ?? {}, request.headers);
  } catch (error) {
    if (!(error instanceof SoapFault)) throw error;
    throw Object.assign(new Error(error.message), { Fault: version === "1.1" ? fault11(error) : fault12(error) });
  }
}

const fault11 = (fault: SoapFault): object => ({
  faultcode: `tns:${fault.code}`,
  faultstring: fault.message,
  detail: { $xml: fault.detail },
  statusCode: 500,
});

const fault12 = (fault: SoapFault): object => ({
  Code: { Value: "soap:Sender", Subcode: { Value: `tns:${fault.code}` } },
  Reason: { Text: { attributes: { "xml:lang": "en" }, $value: fault.message } },
  Detail: { $xml: fault.detail },
  statusCode: 400,
});
