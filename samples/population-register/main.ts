/**
 * The State Population Register (rsp/population): a legacy SOAP service, and an outbox that tells the bus what changed.
 *
 *   GET  /PopulationRegister?wsdl     its own WSDL
 *   POST /PopulationRegister          GetPerson, SOAP 1.1 and 1.2
 *   POST /ui/persons/<idnp>/move      an operator enters a new address: {"Region", "Locality", "Street"?, "House"?, "Flat"?} or {}
 *   GET  /ui/persons/<idnp>           the person as the register has it
 *   GET  /ui/state                    changes made, events not yet accepted by the bus
 */
import { json, serve, surroundings, type Received, type Reply } from "../lib/host.ts";
import { chanceOf } from "../lib/random.ts";
import { populationFace } from "./face.ts";
import { startOutbox } from "./outbox.ts";
import { addressOf, type Address } from "./persons.ts";
import { openRegister } from "./register.ts";

const { bus, data, port } = surroundings();
const register = openRegister(data);
const outbox = startOutbox(register, bus);
const face = populationFace(register);

const base = await serve(
  "rsp/population",
  port,
  {
    "POST /PopulationRegister": face.post,
    "GET /PopulationRegister": () => face.get(`${base.listening}/PopulationRegister`),
    "POST /ui/persons/*/move": move,
    "GET /ui/persons/*": ({ segment }) => {
      const person = register.person(segment);
      return person ? json(200, person) : json(404, { error: "no person has this IDNP" });
    },
    "GET /ui/state": () => json(200, register.counts()),
  },
  async () => {
    await outbox.close();
    register.close();
  },
);

function move({ segment, body }: Received): Reply {
  let address: unknown;
  try {
    address = body.trim() === "" ? {} : JSON.parse(body);
  } catch {
    return json(400, { error: "the body is not JSON" });
  }
  const now = new Date();
  const wanted = isAddress(address) ? address : addressOf(chanceOf(now.getTime(), 0));
  const outgoing = register.move(segment, wanted, now);
  if (!outgoing) return json(404, { error: "no person has this IDNP" });
  outbox.wake();
  return json(200, { messageId: outgoing.id, revision: outgoing.event.revision, address: wanted });
}

function isAddress(value: unknown): value is Address {
  const keys = ["Region", "Locality"] as const;
  return typeof value === "object" && value !== null && keys.every((key) => typeof (value as Record<string, unknown>)[key] === "string");
}
