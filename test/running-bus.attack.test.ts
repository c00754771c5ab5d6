/**
 * The catalogue of attacks against a running bus, from outside: each is refused with the right code, shows nothing of the inside, reaches
 * neither the provider nor any address that it names, costs little, and leaves one row that tells of a refusal.
 */
import { existsSync, readFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { request } from "node:http";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { catalogue, goodRest, goodSoap, SOAP_PATH, type Attack } from "./harness/attack-catalogue.ts";
import { createSite, type BusProcess, type Site } from "./harness/bus-process.ts";
import { openReceiver, type Receiver } from "./harness/receiver.ts";

type Answer = Readonly<{ status: number; body: string }>;

let site: Site;
let bus: BusProcess;
let provider: Receiver;
let reached = 0;
let connections = 0;
const canary = createServer((socket) => {
  connections++;
  socket.destroy();
});
await new Promise<void>((done) => canary.listen(0, "127.0.0.1", done));
const attacks = catalogue((canary.address() as AddressInfo).port);

beforeAll(async () => {
  provider = await openReceiver();
  provider.answer(() => {
    reached++;
    return 500;
  });
  site = createSite();
  bus = await site.start({
    variables: {
      "rsp.url": provider.url,
      "cnas.url": provider.url,
      "primaria.url": provider.url,
      "bns.url": provider.url,
      "vehicles.drop": "drop",
    },
  });
  for (const attack of attacks) if (attack.body.byteLength < 10_000) await send(attack, "warm"); // what is compiled at first use is not the attack's
}, 120_000);
afterAll(async () => {
  await site.remove();
  await provider.close();
  await new Promise((done) => canary.close(done));
});

function send({ path, headers, body }: Attack, id: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = request(
      `${bus.http}${path}`,
      { method: "POST", headers: { "x-message-id": id, ...headers, "content-length": body.byteLength } },
      (response) => {
        const parts: Buffer[] = [];
        response.on("data", (part: Buffer) => parts.push(part));
        response.once("end", () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(parts).toString() }));
        response.once("error", reject);
      },
    );
    asked.once("error", reject);
    asked.end(body);
  });
}

/** Milliseconds of processor time that the bus used so far; undefined where the system does not tell. */
function used(): number | undefined {
  const file = `/proc/${bus.pid}/stat`;
  if (!existsSync(file)) return undefined;
  const fields = readFileSync(file, "utf8")
    .replace(/^.*\) /u, "")
    .split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

/** Least of some tries: what a collection of garbage or another thread costs at one moment is not the attack's. */
async function cost(attack: Attack): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let turn = 0; turn < 5 && least >= 50; turn++) {
    const before = used();
    await send(attack, `cost-${turn}`);
    const after = used();
    if (before === undefined || after === undefined) return 0;
    least = Math.min(least, after - before);
  }
  return least;
}

const code = ({ body }: Answer): string =>
  /urn:mconnect-bus:error:([a-z-]+)/u.exec(body)?.[1] ?? /name="code">([a-z-]+)</u.exec(body)?.[1] ?? "";
const INSIDE = /\bat [^\n]*\.(?:ts|js):\d+|node:internal|node_modules|\/root\/|\/tmp\/|root:x:0/u;

describe("an attack on a running bus", () => {
  it("is the good message but for one thing, and the good message goes through to the provider", async () => {
    for (const [at, good] of [goodSoap(), goodRest()].entries()) {
      const before = reached;
      const answer = await send(good, `good-${at}`);
      expect([answer.status >= 500, answer.body]).toEqual([true, expect.stringContaining("provider-fault") as string]); // the provider says 500
      expect(reached).toBeGreaterThan(before);
    }
  });

  it("is one of sixty and more", () => expect(new Set(attacks.map(({ name }) => name)).size).toBeGreaterThanOrEqual(60));

  it.each(attacks.map((attack) => [attack.name, attack] as const))("%s", async (name, attack) => {
    const before = reached;
    const id = `attack-${attacks.indexOf(attack)}`;
    const answer = await send(attack, id);
    expect({ name, code: code(answer) }).toEqual({ name, code: attack.codes.includes(code(answer)) ? code(answer) : attack.codes[0] });
    // SOAP 1.1 faults come with 500, whoever is at fault
    if (attack.path !== SOAP_PATH) expect(Math.floor(answer.status / 100)).toBe(4);
    else expect([500, 400, 403, 413, 415, 429]).toContain(answer.status);
    expect(answer.body).not.toMatch(INSIDE);
    expect(reached).toBe(before);
    expect(connections).toBe(0);
    expect(await cost(attack)).toBeLessThan(50);
  });

  it("leaves rows of refusals and not one of anything taken", async () => {
    const { out } = await site.mbus("journal", "find", "--step", "accepted", "--limit", "1000", "--json");
    const taken = (JSON.parse(out) as { id: string }[]).map(({ id }) => id).filter((id) => !id.startsWith("good-"));
    expect(taken).toEqual([]);
    const refused = await site.mbus("journal", "find", "--step", "refused", "--limit", "1000", "--json");
    const ids = new Set((JSON.parse(refused.out) as { id: string }[]).map(({ id }) => id));
    expect([...ids].filter((id) => id.startsWith("attack-")).length).toBeGreaterThanOrEqual(60);
  });

  it("costs the next message nothing: the good one goes through as before", async () => {
    const before = reached;
    await send(goodRest(), "good-after");
    expect(reached).toBeGreaterThan(before);
  });
});
