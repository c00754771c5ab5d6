/** WSDL 1.1 documents, document/literal and rpc/literal, with SOAP 1.1 and 1.2 bindings. Encoded use is refused by line. */
import { BusError } from "../../errors.ts";
import { XSD_NS } from "./names.ts";
import type { Name } from "./names.ts";
import { isNcName } from "./state.ts";
import { child, childrenOf, need, qname, readTree, schemaError } from "./tree.ts";
import type { XNode } from "./tree.ts";
import type { SchemaOptions } from "./model.ts";
import { buildSet, joinPath } from "./schema.ts";
import type { Loader, SchemaSource } from "./schema.ts";
import { rpcSchemas, rpcWrapper } from "./wsdl-rpc.ts";
import type { RpcWrappers } from "./wsdl-rpc.ts";

export const WSDL_NS = "http://schemas.xmlsoap.org/wsdl/";
export const WSDL_SOAP11_NS = "http://schemas.xmlsoap.org/wsdl/soap/";
export const WSDL_SOAP12_NS = "http://schemas.xmlsoap.org/wsdl/soap12/";

export type WsdlOperation = Readonly<{
  name: string;
  action: string;
  input: Name;
  /** Undefined = one-way. */
  output: Name | undefined;
  doc: string;
}>;

/** What a WSDL says of an operation besides its messages: parts in header blocks, elements in faults, and where it stands. */
export type WsdlDetails = Readonly<{ headers: readonly string[]; faults: readonly string[]; at: XNode }>;

export type Wsdl = Readonly<{
  namespace: string;
  service: string;
  portType: string;
  operations: readonly WsdlOperation[];
  schemas: Loader;
  /** SOAP ports as written: version and address. */
  ports?: readonly Readonly<{ version: "1.1" | "1.2"; address: string }>[];
  details?: ReadonlyMap<string, WsdlDetails>;
}>;

export type WsdlOptions = SchemaOptions &
  Readonly<{
    wsdl: string;
    service?: string;
    /** Told of each operation that cannot be used, which is then left out; without it the first one throws. */
    refuse?: (operation: string, error: BusError) => void;
  }>;

type Reading = Readonly<{
  roots: readonly XNode[];
  binding: XNode;
  portType: XNode;
  operations: Map<string, WsdlOperation>;
  details: Map<string, WsdlDetails>;
  wrappers: RpcWrappers;
}>;

/** Reads the WSDL at `options.wsdl` and everything it imports through `options.resolve`. Throws `configuration`. */
export function loadWsdl(options: WsdlOptions): Wsdl {
  const roots: XNode[] = [];
  const sources: SchemaSource[] = [];
  collect(options.wsdl, undefined, options, roots, sources, new Set());
  const [main] = roots;
  if (main === undefined) throw new Error("unreachable: collect throws when the WSDL is missing");
  const wrappers: RpcWrappers = new Map();
  const details = new Map<string, WsdlDetails>();
  const service = chooseService(roots, main, options.service);
  const portType = new Map<string, XNode>();
  const operations = new Map<string, WsdlOperation>();
  for (const port of childrenOf(service, WSDL_NS, "port")) {
    const binding = component(roots, "binding", qname(port, need(port, "binding")), port);
    if (soapBinding(binding) === undefined) continue;
    const type = component(roots, "portType", qname(binding, need(binding, "type")), binding);
    portType.set(need(type, "name"), type);
    const reading: Reading = { roots, binding, portType: type, operations, details, wrappers };
    for (const operation of childrenOf(binding, WSDL_NS, "operation")) attempt(options, operation, () => readOperation(reading, operation));
  }
  const [name] = portType.keys();
  if (name === undefined || (operations.size === 0 && options.refuse === undefined))
    throw schemaError(service, "the service has no port with a SOAP binding");
  if (portType.size > 1)
    throw schemaError(service, "the ports of the service have different portTypes; name one service of the WSDL for each");
  return {
    namespace: main.attributes.get("targetNamespace") ?? "",
    service: need(service, "name"),
    portType: name,
    operations: [...operations.values()],
    details,
    schemas: buildSet([...sources, ...rpcSchemas(wrappers)], options),
    ports: childrenOf(service, WSDL_NS, "port").flatMap(portOf),
  };
}

function portOf(port: XNode): NonNullable<Wsdl["ports"]> {
  const first = child(port, WSDL_SOAP11_NS, "address")?.attributes.get("location");
  const second = child(port, WSDL_SOAP12_NS, "address")?.attributes.get("location");
  return [
    ...(first === undefined ? [] : [{ version: "1.1" as const, address: first }]),
    ...(second === undefined ? [] : [{ version: "1.2" as const, address: second }]),
  ];
}

function attempt(options: WsdlOptions, operation: XNode, read: () => void): void {
  if (options.refuse === undefined) return read();
  try {
    read();
  } catch (error) {
    if (!(error instanceof BusError)) throw error;
    options.refuse(operation.attributes.get("name") ?? "", error);
  }
}

function collect(
  location: string,
  base: string | undefined,
  options: WsdlOptions,
  roots: XNode[],
  sources: SchemaSource[],
  seen: Set<string>,
): void {
  const file = joinPath(base, location);
  if (seen.has(file)) return;
  seen.add(file);
  const text = options.resolve(location, base);
  if (text === undefined)
    throw schemaError({ file, line: 1, column: 1 }, "the WSDL was not found; put the file there (nothing is fetched from the network)");
  const root = readTree(file, text);
  if (root.name.ns !== WSDL_NS || root.name.local !== "definitions")
    throw schemaError(root, `expected wsdl:definitions of WSDL 1.1, found <${root.raw}>`);
  roots.push(root);
  for (const types of childrenOf(root, WSDL_NS, "types")) {
    for (const schema of childrenOf(types, XSD_NS, "schema")) sources.push({ root: schema, file });
  }
  for (const imported of childrenOf(root, WSDL_NS, "import")) collect(need(imported, "location"), file, options, roots, sources, seen);
}

function chooseService(roots: readonly XNode[], main: XNode, wanted: string | undefined): XNode {
  const services = roots.flatMap((root) => childrenOf(root, WSDL_NS, "service"));
  const names = services.map((service) => need(service, "name")).join(", ");
  const found = services.filter((service) => wanted === undefined || need(service, "name") === wanted);
  const [only] = found;
  if (only === undefined)
    throw schemaError(
      main,
      wanted === undefined ? "the WSDL has no service" : `the WSDL has no service ${wanted}; it has ${names || "none"}`,
    );
  if (found.length > 1) throw schemaError(main, `the WSDL has several services (${names}); name one`);
  return only;
}

function component(roots: readonly XNode[], kind: string, name: Name, from: XNode): XNode {
  for (const root of roots) {
    if (name.ns !== "" && (root.attributes.get("targetNamespace") ?? "") !== name.ns) continue;
    const found = childrenOf(root, WSDL_NS, kind).find((node) => node.attributes.get("name") === name.local);
    if (found !== undefined) return found;
  }
  throw schemaError(from, `the ${kind} ${name.local} is not defined in the WSDL`);
}

/** The soap:binding element and its namespace; undefined for HTTP bindings. */
function soapBinding(binding: XNode): XNode | undefined {
  return child(binding, WSDL_SOAP11_NS, "binding") ?? child(binding, WSDL_SOAP12_NS, "binding");
}

function readOperation(reading: Reading, operation: XNode): void {
  const { roots, binding, portType, operations, details } = reading;
  const name = need(operation, "name");
  if (!isNcName(name)) throw schemaError(operation, `the operation's name "${name.slice(0, 60)}" is no XML name`);
  const soap = soapBinding(binding);
  const detail = soap === undefined ? undefined : child(operation, soap.name.ns, "operation");
  const style = detail?.attributes.get("style") ?? soap?.attributes.get("style") ?? "document";
  if (style !== "document" && style !== "rpc")
    throw schemaError(detail ?? operation, `the operation ${name} has the style ${style}; document and rpc are known`);
  const abstract = childrenOf(portType, WSDL_NS, "operation").find((node) => node.attributes.get("name") === name);
  if (abstract === undefined) throw schemaError(operation, `the portType has no operation ${name}`);
  const input = payload(reading, abstract, operation, "input", style);
  if (input === undefined)
    throw schemaError(abstract, `the operation ${name} has no input; notifications from the service are not supported`);
  const known = operations.get(name);
  if (known !== undefined && (known.input.local !== input.local || known.input.ns !== input.ns))
    throw schemaError(abstract, `the operation ${name} is overloaded; rename one`);
  const action = detail?.attributes.get("soapAction") ?? known?.action ?? "";
  const doc = child(abstract, WSDL_NS, "documentation")?.text.trim() ?? "";
  operations.set(name, {
    name,
    action: known?.action === undefined || known.action === "" ? action : known.action,
    input,
    output: payload(reading, abstract, operation, "output", style),
    doc,
  });
  const faults = childrenOf(abstract, WSDL_NS, "fault").map((fault) => faultName(roots, fault));
  details.set(name, { headers: headersOf(operation), faults, at: abstract });
}

function headersOf(operation: XNode): readonly string[] {
  const input = child(operation, WSDL_NS, "input");
  const headers = [WSDL_SOAP11_NS, WSDL_SOAP12_NS].flatMap((ns) => (input === undefined ? [] : childrenOf(input, ns, "header")));
  return headers.map((header) => header.attributes.get("part") ?? header.attributes.get("message") ?? "");
}

/** The element in a fault's detail; providers name the fault by it. */
function faultName(roots: readonly XNode[], fault: XNode): string {
  const message = component(roots, "message", qname(fault, need(fault, "message")), fault);
  const element = child(message, WSDL_NS, "part")?.attributes.get("element");
  return element === undefined ? (fault.attributes.get("name") ?? "") : element.slice(element.indexOf(":") + 1);
}

/** Element of the message's body part; of the style rpc the wrapper around all of them. */
function payload(reading: Reading, abstract: XNode, operation: XNode, side: "input" | "output", style: string): Name | undefined {
  const end = child(abstract, WSDL_NS, side);
  if (end === undefined) return undefined;
  const message = component(reading.roots, "message", qname(end, need(end, "message")), end);
  const bound = child(operation, WSDL_NS, side);
  const body = bound === undefined ? undefined : bodyOf(bound);
  if (body !== undefined && body.attributes.get("use") === "encoded")
    throw schemaError(body, 'use="encoded" is not supported; have the service publish document/literal or rpc/literal');
  const chosen = body?.attributes
    .get("parts")
    ?.split(/\s+/)
    .filter((part) => part !== "");
  const parts = childrenOf(message, WSDL_NS, "part").filter(
    (part) => chosen === undefined || chosen.includes(part.attributes.get("name") ?? ""),
  );
  if (style === "rpc") {
    const root = reading.roots.find((one) => one.file === operation.file);
    const namespace = body?.attributes.get("namespace") ?? root?.attributes.get("targetNamespace") ?? "";
    const name = need(operation, "name");
    return rpcWrapper(reading.wrappers, namespace, side === "input" ? name : `${name}Response`, operation, parts);
  }
  const [part] = parts;
  if (part === undefined || parts.length > 1)
    throw schemaError(message, `the message ${need(message, "name")} must have one part in the body, it has ${parts.length}`);
  const element = part.attributes.get("element");
  if (element === undefined) throw schemaError(part, "the part names a type; document/literal needs an element");
  return qname(part, element);
}

/** The soap:body, also where attachments stand beside it in a mime:multipartRelated. */
function bodyOf(bound: XNode): XNode | undefined {
  return child(bound, WSDL_SOAP11_NS, "body") ?? child(bound, WSDL_SOAP12_NS, "body");
}
