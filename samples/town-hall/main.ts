/**
 * The citizens' counter of a town hall (primaria/registry): a modern system, JSON in and out over node:http, with a circuit
 * breaker towards the bus so that a clerk never waits long for a bus that is away.
 *
 *   POST /events               CloudEvents from the bus (binary mode), each one once
 *   POST /ui/persons/ask       a clerk looks a person up through the bus: {"idnp", "user"?, "basis"?, "reason"?}
 *   POST /ui/benefits          a citizen applies for a benefit: the fields of contract benefit.register.v1
 *   GET  /ui/benefits/<id>     how that application ended, by its ticket: {"state": "pending"|"done"|"failed", "reply"?, "error"?}
 *   GET  /ui/ledger            what was received, newest first, and how many repeated events there were
 */
import { getJson, postJson } from "../lib/bus.ts";
import { json, serve, surroundings, type Received, type Reply } from "../lib/host.ts";
import { openLedger } from "../lib/ledger.ts";
import { receiver } from "../lib/receiver.ts";
import { guarded } from "./breaker.ts";

const SYSTEM = "primaria/registry";
const CALLER = { user: "2004100020188", entity: "1007601008122" };
const LOOKUP = { ...CALLER, basis: "art. 29", reason: "citizen at the counter" };
const BENEFIT = { ...CALLER, basis: "art. 11", reason: "benefit application" };

const { bus, data, port } = surroundings();
const ledger = openLedger(data);
const viaBus = guarded();

await serve(
  SYSTEM,
  port,
  {
    "POST /events": receiver(ledger, () => undefined),
    "POST /ui/persons/ask": ask,
    "POST /ui/benefits": apply,
    "GET /ui/benefits/*": outcome,
    "GET /ui/ledger": () => json(200, { ...ledger.counts(), entries: ledger.last(100) }),
  },
  () => ledger.close(),
);

async function ask({ body }: Received): Promise<Reply> {
  const { idnp, ...call } = JSON.parse(body) as Readonly<Record<string, string>>;
  const answer = await viaBus(() => postJson(`${bus}/mconnect/rest/person.request.v1`, SYSTEM, { idnp }, { call: { ...LOOKUP, ...call } }));
  return json(answer.status, answer.value);
}

/** The application's number is the message id, so that pressing the button twice has one effect. */
async function apply({ body }: Received): Promise<Reply> {
  const application = JSON.parse(body) as Readonly<Record<string, unknown>>;
  const messageId = String(application["applicationId"]);
  const options = { messageId, call: BENEFIT, headers: { "case-number": messageId } };
  const answer = await viaBus(() => postJson(`${bus}/mconnect/rest/benefit.register.v1`, SYSTEM, application, options));
  return json(answer.status, answer.value);
}

/** The bus keeps the answer under the message id, for the system that sent the command. */
async function outcome({ segment }: Received): Promise<Reply> {
  const answer = await viaBus(() => getJson(`${bus}/mconnect/commands/${encodeURIComponent(segment)}`, SYSTEM));
  return json(answer.status, answer.value);
}
