/**
 * Which rows are audited, and what their events say. Personal data is got where a query is accepted (before the register is asked,
 * so that nothing is got that is not told), where an event or command is delivered to a system, and where it is replayed to one.
 */
import { findGrant } from "../access/grants.ts";
import type { Contract, ContractType } from "../contract/contract.ts";
import type { AvroRecord, CallContext, Envelope, Message } from "../envelope.ts";
import type { BusError } from "../errors.ts";
import type { Mutable } from "../mutable.ts";
import type { Inbound } from "../ports.ts";
import type { View } from "../passage.ts";
import type { Branch, Grant, Route } from "../route/runtime.ts";
import { AUDIT_CONTRACT, auditEvent, type Audited, type AuditFacts } from "./event.ts";

/** One that received: the branch, the envelope as it was sent in, and whose data it is, where that is known. */
export type Receipt = Readonly<{ route: Route; branch: Branch; envelope: Envelope; subject: string | undefined; note?: string }>;

/** Each gives the members that make the row an audit event as well; nothing where there is nothing to tell. */
export interface Audit {
  asked(route: Route, message: Message, grant: Grant, time: number): Audited;
  received(receipt: Receipt, time: number): Audited;
  /** An event that a consumer confirmed which takes them by itself. */
  consumed(taken: Consumed, time: number): Audited;
  /** An event that its producer may not send. */
  eventDenied(
    contract: Contract,
    event: Readonly<{ id: string; correlationId: string; system: string | undefined }>,
    error: BusError,
    time: number,
  ): Audited;
  denied(inbound: Inbound, ids: Readonly<{ id: string; correlationId: string }>, error: BusError, time: number): Audited;
}

/** `system` sent it, `target` has it; basis and reason as the event, its type or the consumer's grant say. */
export type Consumed = Readonly<{
  contract: Contract;
  id: string;
  correlationId: string;
  system: string;
  target: string;
  grant: string;
  basis: string;
  reason: string;
  subject: string | undefined;
}>;

const NOTHING: Audited = {};
export const NO_AUDIT: Audit = {
  asked: () => NOTHING,
  received: () => NOTHING,
  consumed: () => NOTHING,
  eventDenied: () => NOTHING,
  denied: () => NOTHING,
};

export function createAudit(type: ContractType, view: () => View): Audit {
  /** Institution of a system. */
  const entityOf = (system: string | undefined): string | undefined =>
    system === undefined ? undefined : view().systems.get(system)?.institution.idno;
  return {
    asked(route, { envelope, value }, grant, time) {
      const { contract } = route;
      if (!isPersonal(contract)) return NOTHING;
      const facts = callFacts(envelope.call, grant, entityOf(envelope.source), exchangeFacts(route, envelope, grant));
      const subject = subjectOf(contract, value);
      if (subject !== undefined) facts.subject = subject;
      const target = route.branches[0]?.system;
      if (target !== undefined) facts.target = target;
      return auditEvent(type, time, facts);
    },
    received({ route, branch, envelope, subject, note }, time) {
      const { contract } = route;
      const { system } = branch;
      if (system === undefined || !isPersonal(contract)) return NOTHING;
      const isEvent = contract.pattern === "event";
      const grant = isEvent ? grantOf(view(), system, contract.id, time) : undefined;
      const plain = exchangeFacts(route, envelope, grant);
      // an event is got by its receiver under the receiver's grant; a command is sent by its caller in the caller's name
      const facts = isEvent
        ? callFacts({}, grant, entityOf(system), plain)
        : callFacts(envelope.call, grant, entityOf(envelope.source), plain);
      facts.target = system;
      if (subject !== undefined) facts.subject = subject;
      if (note !== undefined) facts.message = note;
      return auditEvent(type, time, facts);
    },
    consumed({ contract, id, ...facts }, time) {
      if (!isPersonal(contract) && contract.events?.personal === undefined) return NOTHING;
      const entity = entityOf(facts.target);
      return auditEvent(type, time, {
        ...facts,
        type: typeOf(contract),
        from: "events",
        outcome: "ok",
        entity,
        object: contract.id,
        messageId: id,
      });
    },
    eventDenied(contract, { id, correlationId, system }, error, time) {
      if (!isDenial(error) || !isPersonal(contract)) return NOTHING;
      return auditEvent(type, time, {
        type: typeOf(contract),
        correlationId,
        from: "events",
        outcome: "denied",
        message: error.message.slice(0, 1000),
        entity: entityOf(system),
        object: contract.id,
        messageId: id,
        system,
        error: error.code,
      });
    },
    denied(inbound, { id, correlationId }, error, time) {
      const route = inbound.route === undefined ? undefined : view().routes.get(inbound.route)?.route;
      if (!route || !isDenial(error) || !isPersonal(route.contract)) return NOTHING;
      const { call, system } = inbound;
      return auditEvent(type, time, {
        type: typeOf(route.contract),
        correlationId,
        from: route.id,
        outcome: "denied",
        message: error.message.slice(0, 1000),
        entity: short(call.entity) ?? entityOf(system),
        basis: short(call.basis),
        reason: short(call.reason),
        user: short(call.user),
        object: route.contract.id,
        messageId: id,
        system,
        error: error.code,
      });
    },
  };
}

/** Characters of a value that nobody has checked. */
const short = (text: string | undefined): string | undefined => text?.slice(0, 512);

/** A call in a foreign name is a fault of form to its sender, and an attempt to whoever watches. */
const isDenial = (error: BusError): boolean =>
  error.class === "access-denied" || error.class === "signature-invalid" || error.code === "call-context-invalid";

function exchangeFacts({ id, contract }: Route, envelope: Envelope, grant: Grant | undefined): Mutable<AuditFacts> {
  const facts: Mutable<AuditFacts> = {
    type: typeOf(contract),
    correlationId: envelope.correlationId,
    from: id,
    outcome: "ok",
    object: contract.id,
    messageId: envelope.id,
    system: envelope.source,
  };
  if (grant) facts.grant = grant.id;
  return facts;
}

/** Who asked says for whom and why; where nobody asked, the grant does. */
function callFacts(
  call: CallContext,
  grant: Grant | undefined,
  entity: string | undefined,
  facts: Mutable<AuditFacts>,
): Mutable<AuditFacts> {
  facts.user = call.user;
  facts.entity = call.entity ?? entity;
  facts.basis = call.basis ?? (grant && `${grant.legalBasis.act}, ${grant.legalBasis.section}`);
  facts.reason = call.reason ?? grant?.legalBasis.purpose;
  return facts;
}

/** The grant that the delivery just used; none where it ended in this very moment. */
function grantOf({ grants, systems }: View, system: string, contract: string, now: number): Grant | undefined {
  try {
    return findGrant(grants, systems, { system, role: "consumer", contract }, [], now);
  } catch {
    return undefined;
  }
}

const personal = new WeakMap<Contract, boolean>();

/** Does a message of the contract, or its reply, speak of people? */
function isPersonal(contract: Contract): boolean {
  let known = personal.get(contract);
  if (known === undefined) {
    const marked = [contract.request, contract.reply].some((type) => type && [...type.marks.values()].some((mark) => mark.personal));
    known = contract.id !== AUDIT_CONTRACT && (contract.subject !== undefined || marked);
    personal.set(contract, known);
  }
  return known;
}

const TYPES = {
  access: "MConnect.PersonalData.Access",
  validate: "MConnect.PersonalData.Validate",
  search: "MConnect.PersonalData.Search",
  transfer: "MConnect.PersonalData.Transfer",
  export: "MConnect.PersonalData.Export",
} as const;

const typeOf = ({ audit, pattern }: Contract): string => TYPES[audit ?? (pattern === "query" ? "access" : "transfer")];

/** The text at the contract's `subject`, where it stands in records only. */
export function subjectOf({ subject }: Contract, value: AvroRecord): string | undefined {
  if (subject === undefined) return undefined;
  let at: unknown = value[subject];
  if (at === undefined && subject.includes("."))
    at = subject.split(".").reduce<unknown>((inner, part) => (isRecord(inner) ? inner[part] : undefined), value);
  return typeof at === "string" ? at : undefined;
}

const isRecord = (value: unknown): value is AvroRecord => typeof value === "object" && value !== null && !Array.isArray(value);
