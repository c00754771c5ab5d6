/** Files changed under a running bus, seen from outside, on any engine: each change takes hold by itself, a bad one changes nothing and is told. */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createSite, type BusProcess, type Site } from "#test/harness/bus-process.ts";
import type { FlowEngine } from "#test/harness/flow-engines.ts";
import { eventually, type Received } from "#test/harness/receiver.ts";
import { idnp, openSubscribers, tell, type Subscribers } from "#test/harness/world.ts";

type Finding = Readonly<{ file: string; line: number; column: number; severity: string; rule: string; text: string }>;
type Status = Readonly<{
  pid: number;
  drift: boolean;
  findings: readonly Finding[];
  routes: readonly Readonly<{ id: string; revision: string }>[];
}>;
type Row = Readonly<{ id: string; step: string; outcome: string; route: string; branch?: string }>;

const PATIENCE = 60_000;
const EXTRA = `bus: route/v1
id: extra
title: The same news to another address
owner: population-registry-team
contract: { event: person.changed.v1 }
from:
  - name: news
    topic: { name: person.changed.v1 }
to:
  system: primaria/registry
  http: { path: /extra }
deliver: { use: async-standard }
`;

export function reloadFlows(engine: FlowEngine): void {
  let site: Site;
  let world: Subscribers;
  let bus: BusProcess;
  let count = 0;

  beforeAll(async () => {
    site = createSite((await engine.place()).env);
    site.edit("routes/rsp/person-changed.yaml", (text) => text.replace(", limits: { rate: 50/s }", ""));
    world = await openSubscribers();
    bus = await site.start({ variables: world.variables });
  }, 120_000);
  afterAll(async () => {
    await site.remove();
    await world.close();
  });

  async function mbus<T>(...args: readonly string[]): Promise<T> {
    const { out, err, code } = await site.mbus(...args, "--json");
    expect(code, `mbus ${args.join(" ")}: ${err}`).toBe(0);
    return JSON.parse(out) as T;
  }

  async function status(): Promise<Status> {
    const authorization = `Bearer ${readFileSync(join(site.dataDir, "admin.token"), "utf8").trim()}`;
    const response = await fetch(`${bus.http}/api/v1/status`, { headers: { authorization } });
    expect(response.status).toBe(200);
    return (await response.json()) as Status;
  }
  const revision = async (id: string): Promise<string | undefined> => (await status()).routes.find((route) => route.id === id)?.revision;
  const errors = async (): Promise<readonly Finding[]> => (await status()).findings.filter(({ severity }) => severity === "error");

  /** Tells of a change under a new id; gives the id. */
  async function send(): Promise<string> {
    count += 1;
    const id = `reload-${count}`;
    const { status: code, body } = await tell(bus, { id, person: idnp(count), revision: 1 });
    expect(code, body).toBe(200);
    return id;
  }
  const at = (id: string, path: string): Received | undefined =>
    world.townhall.received.find((one) => one.path === path && (one.body.includes(`"${id}"`) || one.id === id));
  async function arrived(id: string, path = "/events"): Promise<Received> {
    await eventually(
      () => at(id, path) !== undefined,
      () => `${id} never came to ${path}`,
      PATIENCE,
    );
    return at(id, path) as Received;
  }

  describe("a change of a file", () => {
    it("of a grant cuts what its holder gets, from the next message on, and gives it back", async () => {
      const file = "routes/rsp/grants.yaml";
      const before = readFileSync(join(site.root, file), "utf8");
      const wide = /(consumer: primaria\/registry\ncontract: person\.changed\.v1\n.*\n)reply: .*\n/u;
      expect((await arrived(await send())).body).toContain("Soroca");
      site.edit(file, (text) => text.replace(wide, "$1reply: { allow: [idnp, kind, revision] }\n"));
      let last = "";
      await eventually(
        async () => !(last = (await arrived(await send())).body).includes("Soroca"),
        () => `still whole: ${last}`,
        PATIENCE,
      );
      expect(last).toContain("addressChanged");
      writeFileSync(join(site.root, file), before);
      await eventually(
        async () => (last = (await arrived(await send())).body).includes("Soroca"),
        () => `still cut: ${last}`,
        PATIENCE,
      );
    });

    it("of the sender's grant refuses the next message with the rule that refused it", async () => {
      const file = "routes/rsp/grants.yaml";
      const before = readFileSync(join(site.root, file), "utf8");
      const ended = /(producer: rsp\/population\n(?:.*\n){2})valid: .*\n/u;
      site.edit(file, (text) => text.replace(ended, "$1valid: { from: 2024-01-01, until: 2024-12-31 }\n"));
      let refused = "";
      await eventually(
        async () => {
          count += 1;
          const answer = await tell(bus, { id: `reload-${count}`, person: idnp(count), revision: 1 });
          refused = answer.body;
          return answer.status !== 200;
        },
        () => "it is still let through",
        PATIENCE,
      );
      expect(refused).toContain("rsp-person-changed-2026");
      writeFileSync(join(site.root, file), before);
      await eventually(
        async () => (await tell(bus, { id: `reload-${(count += 1)}`, person: idnp(count), revision: 1 })).status === 200,
        () => "it is still refused",
        PATIENCE,
      );
    });

    it("of a policy gives new revisions to the routes that use it, and to no other", async () => {
      const [changed, lookup] = [await revision("person-changed"), await revision("person-lookup")];
      site.edit("routes/policies.yaml", (text) =>
        text.replace("attempts: 12\n    backoff: { first: 5s", "attempts: 1\n    backoff: { first: 5s"),
      );
      await eventually(
        async () => (await revision("person-changed")) !== changed,
        () => "the route still runs by the old policy",
        PATIENCE,
      );
      expect(await revision("person-lookup")).toBe(lookup);
      world.townhall.answer(() => 503);
      const id = await send();
      // by the old policy it would be tried for a day
      await eventually(
        async () => (await mbus<{ messageId: string }[]>("deadletters", "list")).some((row) => row.messageId === id),
        () => "no dead letter after one attempt",
        PATIENCE,
      );
      world.townhall.answer(() => 200);
    });
  });

  describe("a route", () => {
    const file = (): string => join(site.root, "routes/rsp/extra.yaml");

    it("that is added takes messages without a restart", async () => {
      writeFileSync(file(), EXTRA);
      await eventually(
        async () => (await revision("extra")) !== undefined,
        () => "the added route does not run",
        PATIENCE,
      );
      const id = await send();
      await arrived(id, "/extra");
      expect((await status()).pid).toBe(bus.pid);
    });

    it("that is removed while a message is in flight lets that one end, and takes none after it", async () => {
      const { promise: gate, resolve: open } = Promise.withResolvers<void>();
      const flying: string[] = [];
      world.townhall.answer(async ({ path, id }) => {
        if (path !== "/extra") return 200;
        flying.push(id);
        await gate;
        return 200;
      });
      const id = await send();
      await eventually(
        () => flying.length > 0,
        () => "it never flew",
        PATIENCE,
      );
      rmSync(file());
      await arrived(id); // the other route goes on meanwhile
      setTimeout(open, 2500); // by then the bus has seen that the file is gone
      await eventually(
        async () => (await revision("extra")) === undefined,
        () => "the removed route still runs",
        PATIENCE,
      );
      await eventually(
        async () => {
          const rows = await mbus<Row[]>("journal", "find", "--id", id);
          return rows.some(({ route, step, outcome }) => route === "extra" && step === "delivered" && outcome === "ok");
        },
        () => "what was in flight left no row",
        PATIENCE,
      );
      expect(flying).toHaveLength(1);
      await arrived(await send());
      expect(flying).toHaveLength(1);
    });
  });

  describe("a file that is wrong", () => {
    it("is told with file, line and column, what ran before goes on, and mending it ends the drift", async () => {
      const before = await revision("person-changed");
      site.edit("routes/rsp/person-changed.yaml", (text) => text.replace("title: Tell", "titel: Tell"));
      await eventually(
        async () => (await status()).drift,
        () => "nobody noticed",
        PATIENCE,
      );
      const [finding, ...more] = await errors();
      expect(more).toEqual([]);
      expect(finding).toMatchObject({
        line: 4,
        column: 1,
        rule: "unknown-field",
        text: "there is no field `titel`; did you mean `title`?",
      });
      expect(finding?.file).toMatch(/routes\/rsp\/person-changed\.yaml$/u);
      expect(await revision("person-changed")).toBe(before);
      await arrived(await send());
      site.edit("routes/rsp/person-changed.yaml", (text) => text.replace("titel: Tell", "title: Tell"));
      await eventually(
        async () => !(await status()).drift,
        () => "it still drifts",
        PATIENCE,
      );
      expect([await errors(), await revision("person-changed")]).toEqual([[], before]);
    });

    it("with a contract that cannot read what was written before is refused by the name of the field", async () => {
      const schema = "contracts/rsp/person.changed.v1.avsc";
      const whole = readFileSync(join(site.root, schema), "utf8");
      const before = await revision("person-changed");
      site.edit(schema, (text) => {
        const parsed = JSON.parse(text) as { fields: unknown[] };
        parsed.fields.push({ name: "urgency", type: "string", doc: "Without a default." });
        return JSON.stringify(parsed, undefined, 2);
      });
      await eventually(
        async () => (await status()).drift,
        () => "nobody noticed",
        PATIENCE,
      );
      const told = (await errors()).map(({ text }) => text).join("\n");
      expect(told).toContain("urgency");
      expect(await revision("person-changed")).toBe(before);
      await arrived(await send());
      writeFileSync(join(site.root, schema), whole);
      await eventually(
        async () => !(await status()).drift,
        () => "it still drifts",
        PATIENCE,
      );
      await arrived(await send());
    });
  });
}
