/**
 * The pensions system of the social insurance office (cnas/pensions): asks for persons by SOAP, is told of changes by SOAP.
 *
 *   GET  /Pensii?wsdl          its own WSDL
 *   POST /Pensii               NotifyPersonChange, RegisterBenefit; SOAP 1.1 and 1.2
 *   POST /ui/persons/ask       a clerk looks a person up through the bus: {"idnp", "user"?, "basis"?, "reason"?}
 *   GET  /ui/ledger            what was done, newest first, and how many repeated messages were refused
 */
import { busService } from "../lib/bus.ts";
import { json, serve, surroundings, type Received, type Reply } from "../lib/host.ts";
import { openLedger } from "../lib/ledger.ts";
import { pensionsFace } from "./face.ts";

const SYSTEM = "cnas/pensions";
/** A clerk's own IDNP, the office's IDNO, and why they look. */
const CALL = { user: "2004100010095", entity: "1004600030235", basis: "art. 33", reason: "pension payment" };

const { bus, data, port } = surroundings();
const ledger = openLedger(data);
const face = pensionsFace(ledger);
const registry = busService(`${bus}/mconnect/soap/rsp/population/PersonRegistry`, SYSTEM);

const base = await serve(
  SYSTEM,
  port,
  {
    "POST /Pensii": face.post,
    "GET /Pensii": () => face.get(`${base.listening}/Pensii`),
    "POST /ui/persons/ask": ask,
    "GET /ui/ledger": () => json(200, { ...ledger.counts(), entries: ledger.last(100) }),
  },
  () => ledger.close(),
);

async function ask({ body }: Received): Promise<Reply> {
  const { idnp, ...call } = JSON.parse(body) as Readonly<Record<string, string>>;
  const answer = await registry.call("GetPerson", { idnp }, { call: { ...CALL, ...call } });
  return answer.ok ? json(200, answer.value) : json(502, { fault: answer.fault });
}
