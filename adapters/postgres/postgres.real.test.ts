/** Rows in and out of a real PostgreSQL: the promises of inlets and outlets, and each row accounted for over crashes of either side. */
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { BusError } from "#bus/errors.ts";
import type { Accept, Inbound, Outlet } from "#bus/ports.ts";
import { accepted, GOOD_TEXT, inletConformance } from "#test/conformance/inlet.ts";
import { codeOf, eventually } from "#test/conformance/cases.ts";
import { outletConformance } from "#test/conformance/outlet.ts";
import { echoJson } from "#test/harness/echo-json.ts";
import { createMemoryStore } from "#test/harness/memory.ts";
import { messageOf } from "#test/harness/message.ts";
import { postgresServer } from "#test/harness/postgres.ts";
import { databaseOf, type Database } from "./connect.ts";
import type { Place } from "./cursor.ts";
import { createPostgresInlet, type PostgresInlet, type PostgresInletSettings } from "./inlet.ts";
import { createPostgresOutlet, type PostgresOutletSettings } from "./outlet.ts";

const peer = await postgresServer();
afterAll(() => peer?.close());

let admin: pg.Client;
const open = async (): Promise<void> => {
  admin = new pg.Client({ connectionString: peer?.url, ssl: { ca: peer?.ca } });
  admin.on("error", () => undefined);
  await admin.connect();
};
const sql = async (text: string, values: unknown[] = []): Promise<Record<string, unknown>[]> =>
  (await admin.query<Record<string, unknown>>(text, values)).rows;
const database = (url = peer?.url ?? "", ca = peer?.ca): Database => databaseOf({ url, security: "tls", ca });
const nowhere = "postgres://mbus:hunter2@127.0.0.1:1/postgres";
const clock = { now: () => Date.now(), sleep: (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms)) };
const never = new AbortController().signal;
let count = 0;
const outbox = async (texts: readonly string[]): Promise<string> => {
  const table = `outbox_${++count}`;
  await sql(
    `CREATE TABLE ${table} (id bigserial PRIMARY KEY, text text, taken_at timestamptz, refused text, changed_at timestamptz NOT NULL DEFAULT now())`,
  );
  await add(table, texts);
  return table;
};
const add = (table: string, texts: readonly string[]) => sql(`INSERT INTO ${table} (text) SELECT unnest($1::text[])`, [texts]);

/** A bus that knows what it had, and refuses what begins with "bad". */
function reading() {
  const seen: Inbound[] = [];
  const accept: Accept = async (inbound) => {
    const { text } = inbound.read() as { text: string };
    if (text.startsWith("bad")) throw new BusError("grant-missing", "no grant");
    const duplicate = seen.some((one) => one.id === inbound.id);
    if (!duplicate) seen.push(inbound);
    return { ...accepted(inbound), kind: "accepted", duplicate };
  };
  return { accept, seen, texts: () => seen.map((one) => (one.read() as { text: string }).text) };
}
const settingsOf = (table: string, more: Partial<PostgresInletSettings> = {}): PostgresInletSettings => ({
  database: database(),
  source: { kind: "outbox", table: { table, key: "id", columns: ["text"], done: "taken_at", failed: "refused", batch: 10 } },
  codec: echoJson,
  binding: { route: "import", from: "table", system: "asp/vehicles", pattern: "event" },
  every: undefined,
  limits: { maxBytes: 10_000, maxInFlight: 4 },
  clock,
  ...more,
});
const inlets: PostgresInlet[] = [];
async function openInlet(table: string, accept: Accept, more: Partial<PostgresInletSettings> = {}): Promise<PostgresInlet> {
  const inlet = createPostgresInlet(settingsOf(table, more), { drain: 100 });
  inlets.push(inlet);
  await inlet.start(accept);
  return inlet;
}
const outlets: Outlet[] = [];
const outletOf = (settings: Partial<PostgresOutletSettings>): Outlet => {
  const outlet = createPostgresOutlet({
    database: database(),
    statement: "SELECT 1",
    once: undefined,
    replyCodec: undefined,
    connections: 2,
    ...settings,
  });
  outlets.push(outlet);
  return outlet;
};
afterAll(() => Promise.all([...inlets, ...outlets].map((one) => one.close())));
const many = Array.from({ length: 95 }, (_, n) => `row ${n}`);

describe.skipIf(!peer)("PostgreSQL", () => {
  beforeAll(open);
  afterAll(() => admin.end().catch(() => undefined));

  inletConformance({
    name: "postgres",
    skip: { "refuses what passes its bound of unfinished messages": "rows are read no faster than the bus takes them" },
    async open({ drain, maxInFlight }) {
      const table = await outbox([]);
      const read = (bytes: Uint8Array) => {
        const value = echoJson.read(bytes);
        if (value["text"] === "broken") throw new BusError("json-violation", "the text is broken");
        return value;
      };
      const settings = settingsOf(table, { codec: { ...echoJson, read }, limits: { maxBytes: 10_000, maxInFlight } });
      const inlet = createPostgresInlet(settings, { drain });
      return {
        inlet,
        async send(kind) {
          await add(table, [kind === "good" ? GOOD_TEXT : "broken"]);
          const report = await inlet.run();
          const rows = await sql(`SELECT refused FROM ${table} ORDER BY id DESC LIMIT 1`);
          return { ok: report.taken === 1, text: JSON.stringify([report, rows]) };
        },
        close: () => inlet.close(),
      };
    },
  });

  const noAnswers = "a database gives no such answer; its states are told apart in statement.test.ts";
  outletConformance({
    name: "postgres",
    faultCode: "23514",
    skip: {
      "gives unreachable when the far side is reset": "see the case of a server that dies below",
      "gives provider-unavailable when the far side is unavailable": noAnswers,
      "gives throttled when the far side is throttled": noAnswers,
      "gives provider-reply-invalid when the answer is garbage": noAnswers,
      "gives provider-reply-invalid when the answer is huge": noAnswers,
      "works again after a failure": "see the case of a server that dies below",
    },
    async open() {
      const table = `keys_${++count}`;
      await sql(`CREATE TABLE ${table} (n bigserial, id text CHECK (id <> 'refused'))`);
      await sql(`CREATE TABLE ${table}_hold (held boolean)`);
      const keys: string[] = [];
      let [fault, away]: [string | null, boolean] = [null, false];
      const outlet = outletOf({
        statement: `INSERT INTO ${table} (id) SELECT coalesce(:fault, :$id) FROM (SELECT count(*) FROM ${table}_hold) AS held`,
      });
      const gone = outletOf({ database: database(nowhere) });
      const lock = new pg.Client({ connectionString: peer?.url, ssl: { ca: peer?.ca } });
      await lock.connect();
      return {
        outlet: {
          ...outlet,
          send(message, signal) {
            if (!signal.aborted && !away) keys.push(message.envelope.id);
            return (away ? gone : outlet).send({ ...message, value: { fault } }, signal);
          },
        },
        async behave(next) {
          fault = next === "fault" ? "refused" : null;
          away = next === "gone";
          if (next === "hold" || next === "silent") await lock.query(`BEGIN; LOCK ${table}_hold IN ACCESS EXCLUSIVE MODE`);
        },
        release: () => void lock.query("COMMIT"),
        keys: () => keys,
        brokenOff: () =>
          eventually(async () => {
            const running = await sql("SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND query LIKE $1", [
              `INSERT INTO ${table} %`,
            ]);
            return running.length === 0;
          }, "the statement was broken off"),
        message: (id) => messageOf({}, { id }),
        async close() {
          await lock.end();
          await outlet.close();
        },
      };
    },
  });

  describe("an outbox", () => {
    it("is emptied in the order of its key, batch after batch, and each row says when it was taken or why not", async () => {
      const [table, bus] = [await outbox(["bad one", ...many, "bad last"]), reading()];
      const inlet = await openInlet(table, bus.accept, { limits: { maxBytes: 10_000, maxInFlight: 1 } });
      expect(await inlet.run()).toEqual({ taken: 95, known: 0, failed: 2, left: 0 });
      expect(bus.texts()).toEqual(many);
      expect(bus.seen[0]).toMatchObject({ route: "import", system: "asp/vehicles", mediaType: "application/json", headers: {} });
      expect(
        await sql(
          `SELECT count(*)::int AS n, refused FROM ${table} WHERE (taken_at IS NULL) <> (refused IS NULL) GROUP BY refused ORDER BY 1`,
        ),
      ).toEqual([
        { n: 2, refused: "grant-missing" },
        { n: 95, refused: null },
      ]);
      expect(await inlet.run()).toEqual({ taken: 0, known: 0, failed: 0, left: 0 });
    });

    it("loses its rows where the route says so, and keeps those that were refused", async () => {
      const [table, bus] = [await outbox(["one", "bad"]), reading()];
      const source = {
        kind: "outbox",
        table: { table: `public.${table}`, key: "id", columns: ["text"], done: undefined, failed: "refused", batch: 10 },
      } as const;
      await (await openInlet(table, bus.accept, { source })).run();
      expect(await sql(`SELECT text, refused FROM ${table}`)).toEqual([{ text: "bad", refused: "grant-missing" }]);
    });

    it("is shared by several that read it at once: each row has one effect", async () => {
      const [table, bus] = [await outbox(many), reading()];
      const three = await Promise.all([1, 2, 3].map(() => openInlet(table, bus.accept)));
      const reports = await Promise.all(three.map((inlet) => inlet.run()));
      const again = await three[0]?.run();
      expect(reports.reduce((sum, { taken }) => sum + taken, again?.taken ?? 0)).toBe(95);
      expect(bus.texts().toSorted((a, b) => a.localeCompare(b))).toEqual(many.toSorted((a, b) => a.localeCompare(b)));
    });

    it("keeps the rows that the bus has no room for", async () => {
      const [table, bus] = [await outbox(many), reading()];
      let full = true;
      const accept: Accept = async (inbound) => {
        if (full && bus.seen.length >= 25) throw new BusError("journal-failed", "the disk is full");
        return bus.accept(inbound);
      };
      const inlet = await openInlet(table, accept, { limits: { maxBytes: 10_000, maxInFlight: 1 } });
      expect(await inlet.run()).toMatchObject({ taken: 25, left: 5 });
      full = false;
      expect(await inlet.run()).toMatchObject({ taken: 70, known: 0, left: 0 });
      expect(bus.texts()).toEqual(many);
    });

    it("loses nothing and does nothing twice when the server dies while the bus has its rows", async () => {
      const [table, bus] = [await outbox(many), reading()];
      let killed: Promise<void> | undefined;
      const inlet = await openInlet(table, async (inbound) => {
        const outcome = await bus.accept(inbound);
        if (bus.seen.length >= 37) killed ??= peer?.kill();
        await killed;
        return outcome;
      });
      expect(await inlet.run()).toMatchObject({ text: expect.stringMatching(/could not be reached|cannot do it now/u) as string });
      expect((await inlet.run()).text).toContain("could not be reached");
      await peer?.revive();
      await open();
      const report = await inlet.run();
      expect([report.text, report.taken + report.known, report.known > 0]).toEqual([undefined, 65, true]);
      expect(bus.seen).toHaveLength(95);
      expect(await sql(`SELECT count(*)::int AS n FROM ${table} WHERE taken_at IS NULL`)).toEqual([{ n: 0 }]);
    });

    it("loses nothing and does nothing twice when the bus dies with rows in hand", async () => {
      const [table, bus] = [await outbox(many), reading()];
      const stuck = Promise.withResolvers<void>();
      const dying = await openInlet(table, async (inbound) => {
        if (bus.seen.length >= 33) {
          stuck.resolve();
          return new Promise(() => {});
        }
        return bus.accept(inbound);
      });
      void dying.run();
      await stuck.promise;
      await dying.close();
      const report = await (await openInlet(table, bus.accept)).run();
      expect(report.taken + report.known).toBeLessThanOrEqual(65);
      expect(bus.seen).toHaveLength(95);
    });

    it("that is wrong is told without a secret or a value", async () => {
      const bus = reading();
      const missing = await openInlet("no_such_table", bus.accept);
      expect((await missing.run()).text).toMatch(/SQLSTATE 42P01\); look at the route/u);
      const away = await openInlet("x", bus.accept, { database: database(nowhere) });
      expect((await away.run()).text).toBe("127.0.0.1:1/postgres could not be reached, or the connection broke");
      const denied = await openInlet("x", bus.accept, { database: database((peer?.url ?? "").replace("correct%20horse", "hunter2")) });
      expect((await denied.run()).text).toMatch(/SQLSTATE 28P01/u);
      const stranger = await openInlet("x", bus.accept, { database: databaseOf({ url: peer?.url ?? "", security: "tls", ca: undefined }) });
      expect((await stranger.run()).text).toContain("could not be reached");
    });
  });

  describe("a table behind a cursor", () => {
    const cursorOf = async (table: string, settle?: number) => {
      const places = await createMemoryStore().collection<Place>("postgres-places");
      const source = { table, key: "id", columns: ["text"], cursor: "changed_at", settle, batch: 10 };
      return { kind: "cursor", table: source, places: async () => ({ places, id: "import/table" }) } as const;
    };

    it("is read from where the last run ended, rows of one instant included, and again where a row changed", async () => {
      const [table, bus] = [await outbox(many), reading()];
      const source = await cursorOf(table);
      expect(await (await openInlet(table, bus.accept, { source, limits: { maxBytes: 1_000, maxInFlight: 1 } })).run()).toMatchObject({
        taken: 95,
      });
      expect(bus.texts()).toEqual(many);
      await add(table, ["new"]);
      await sql(`UPDATE ${table} SET text = 'changed', changed_at = clock_timestamp() + interval '1 second' WHERE id = 3`);
      expect(await (await openInlet(table, bus.accept, { source })).run()).toMatchObject({ taken: 2, known: 0 });
      expect(bus.texts().slice(-2)).toEqual(["new", "changed"]);
    });

    it("stops before a row that the bus has no room for, and passes over one that is refused", async () => {
      const [table, bus] = [await outbox(["one", "bad", "two", "three"]), reading()];
      let full = true;
      const accept: Accept = (inbound) =>
        full && bus.seen.length === 2 ? Promise.reject(new BusError("journal-failed", "full")) : bus.accept(inbound);
      const inlet = await openInlet(table, accept, { source: await cursorOf(table), limits: { maxBytes: 1_000, maxInFlight: 1 } });
      expect(await inlet.run()).toMatchObject({ taken: 2, failed: 1, left: 1 });
      full = false;
      expect(await inlet.run()).toMatchObject({ taken: 1, failed: 0, known: 0 });
      expect(bus.texts()).toEqual(["one", "two", "three"]);
    });

    it("leaves rows that are too young to be sure that none comes before them", async () => {
      const [table, bus] = [await outbox(["old"]), reading()];
      await sql(`UPDATE ${table} SET changed_at = now() - interval '1 hour'`);
      await add(table, ["young"]);
      expect(await (await openInlet(table, bus.accept, { source: await cursorOf(table, 600_000) })).run()).toMatchObject({ taken: 1 });
      expect(bus.texts()).toEqual(["old"]);
    });
  });

  describe("a statement for each message", () => {
    it("has the fields as parameters and nothing else: what a value holds stays a value", async () => {
      await sql("CREATE TABLE people (id text PRIMARY KEY, name text, born date, score numeric, facts jsonb)");
      const outlet = outletOf({
        statement: "INSERT INTO people VALUES (:$id, :name, :born, :score, :facts) ON CONFLICT (id) DO UPDATE SET name = excluded.name",
      });
      const name = "'); DROP TABLE people; --";
      const message = messageOf({ name, born: "2000-01-31", score: "12.50", facts: { a: [1] } }, { id: "m-1" });
      for (let i = 0; i < 3; i++) await outlet.send(message, never);
      expect(await sql("SELECT id, name, born::text, score::text, facts FROM people")).toEqual([
        { id: "m-1", name, born: "2000-01-31", score: "12.50", facts: { a: [1] } },
      ]);
    });

    it("is run once for each message with `once`, also when many deliveries come together", async () => {
      await sql("CREATE TABLE seen (message_id text PRIMARY KEY)");
      await sql("CREATE TABLE account (total int)");
      await sql("INSERT INTO account VALUES (0)");
      const outlet = outletOf({ statement: "UPDATE account SET total = total + :amount", once: "public.seen", connections: 4 });
      const send = (id: string) => outlet.send(messageOf({ amount: 5 }, { id }), never);
      await Promise.all(["a", "a", "b", "a", "b", "a"].map(send));
      expect(await sql("SELECT total FROM account")).toEqual([{ total: 10 }]);
      expect(
        await codeOf(
          outletOf({ statement: "UPDATE account SET total = :amount::int / 0", once: "seen" }).send(
            messageOf({ amount: 1 }, { id: "c" }),
            never,
          ),
        ),
      ).toBe("provider-fault");
      await send("c");
      expect(await sql("SELECT total FROM account")).toEqual([{ total: 15 }]);
    });

    it("gives its first row as the reply, in the forms of JSON", async () => {
      const outlet = outletOf({
        statement:
          "SELECT text, day, at, n FROM (VALUES ('a', 'there', date '2026-01-31', timestamptz '2026-01-31 10:00+02', 9007199254740993)) AS t(k, text, day, at, n) WHERE k = :k",
        replyCodec: echoJson,
      });
      expect(await outlet.send(messageOf({ k: "a" }), never)).toEqual({
        text: "there",
        day: "2026-01-31",
        at: "2026-01-31T08:00:00Z",
        n: "9007199254740993",
      });
      await expect(outlet.send(messageOf({ k: "b" }), never)).rejects.toMatchObject({ code: "provider-fault", providerCode: "no-row" });
      await expect(outletOf({ statement: "SELECT 1 AS one", replyCodec: echoJson }).send(messageOf({}), never)).rejects.toMatchObject({
        code: "provider-reply-invalid",
      });
    });

    it("is taken back when its time is over, and the server that dies is used again when it lives", async () => {
      await sql("CREATE TABLE slow (id text)");
      const outlet = outletOf({ statement: "INSERT INTO slow SELECT :$id FROM pg_sleep(:wait)" });
      const hurried = new AbortController();
      const slow = codeOf(outlet.send(messageOf({ wait: 2 }, { id: "late" }), hurried.signal));
      await eventually(
        async () => (await sql("SELECT 1 FROM pg_stat_activity WHERE query LIKE 'INSERT INTO slow%' AND state = 'active'")).length > 0,
        "it runs",
      );
      hurried.abort();
      expect(await slow).toBe("attempt-timeout");
      await outlet.send(messageOf({ wait: 0 }, { id: "quick" }), never);
      await eventually(
        async () => (await sql("SELECT 1 FROM pg_stat_activity WHERE query LIKE 'INSERT INTO slow%' AND state = 'active'")).length === 0,
        "it ended",
      );
      expect(await sql("SELECT id FROM slow")).toEqual([{ id: "quick" }]);
      await peer?.kill();
      expect(await codeOf(outlet.send(messageOf({ wait: 0 }, { id: "away" }), never))).toMatch(/^endpoint-un/u);
      await peer?.revive();
      await open();
      await outlet.send(messageOf({ wait: 0 }, { id: "back" }), never);
      expect(await sql("SELECT id FROM slow ORDER BY id")).toEqual([{ id: "back" }, { id: "quick" }]);
    });
  });
});
