import { describe, expect, it } from "vitest";
import { BusError } from "#bus/errors.ts";
import type { JournalRecord, StoredRecord } from "#bus/journal/record.ts";
import type { WebHandler, WebRequest } from "#bus/wire.ts";
import { evidenceFor } from "#test/harness/evidence-admin.ts";
import { numbered } from "#test/harness/evidence.ts";
import { createMemoryPorts } from "#test/harness/memory.ts";
import { createVirtualClock } from "#test/harness/virtual-clock.ts";
import { verifyEvidence } from "#verifier/evidence.ts";
import { mountReceipts } from "./receipts.ts";

async function world(records: readonly JournalRecord[]) {
  const clock = createVirtualClock(Date.now());
  const ports = createMemoryPorts(clock);
  const evidence = await evidenceFor({ ...ports, clock });
  await evidence.journal.append(records);
  let handler: WebHandler = () => Promise.reject(new Error("nothing is mounted"));
  let shown: readonly StoredRecord[] = [];
  let fault: BusError | undefined;
  const host = {
    mount: (_face: string, _prefix: string, given: WebHandler) => {
      handler = given;
      return () => undefined;
    },
  };
  const spied = {
    export: (id: string, rows: readonly StoredRecord[]) => {
      shown = rows;
      return fault ? Promise.reject(fault) : evidence.export(id, rows);
    },
  };
  mountReceipts(host, { journal: ports.journal, evidence: spied });
  const get = async (id: string, system: string | undefined, method = "GET") => {
    const answer = await handler({ path: `/mconnect/receipts/${id}`, system, method } as WebRequest);
    return { ...answer, bytes: Buffer.from(answer.body ?? "") };
  };
  return { get, rows: () => shown, fail: (error: BusError) => void (fault = error), close: () => evidence.close() };
}

const mine = { id: "m", system: "town/hall" } as const;
const ROWS: readonly JournalRecord[] = [
  numbered(1, { ...mine, digest: "a".repeat(64) }),
  numbered(2, { ...mine, step: "delivered", target: "pensions/register", branch: "pensions" }),
  numbered(3, { ...mine, step: "attempt", outcome: "failed", target: "secret/register" }),
  numbered(4, { ...mine, step: "replied" }),
  numbered(5, { id: "m", system: "other/system", step: "accepted" }),
  numbered(6, { id: "n", system: "other/system", step: "accepted" }),
];

describe("a receipt", () => {
  it("is sealed evidence of what the bus took and answered, and of nothing else", async () => {
    const { get, close } = await world(ROWS);
    const { status, headers, bytes } = await get("m", "town/hall");
    expect(status).toBe(200);
    expect(headers).toMatchObject({ "content-type": "application/vnd.etsi.asic-e+zip" });
    const { entries } = verifyEvidence(bytes, undefined);
    expect(entries.map(({ step }) => step)).toEqual(["accepted", "replied"]);
    expect(entries[0]).toMatchObject({ system: "town/hall", digest: "a".repeat(64), position: 1 });
    expect(bytes.includes("secret/register")).toBe(false);
    expect(bytes.includes("other/system")).toBe(false);
    await close();
  });

  it("of a refusal says that it was refused", async () => {
    const { get, rows, close } = await world([numbered(1, { ...mine, step: "refused", outcome: "denied", errorCode: "grant-missing" })]);
    expect((await get("m", "town/hall")).status).toBe(200);
    expect(rows().map(({ outcome }) => outcome)).toEqual(["denied"]);
    await close();
  });

  it("B18 of another system's message is as unknown as one that never was", async () => {
    const { get, close } = await world(ROWS);
    const [others, none] = [await get("n", "town/hall"), await get("x", "town/hall")];
    expect([others.status, none.status]).toEqual([404, 404]);
    expect(others.bytes.toString().replace("`n`", "`x`")).toBe(none.bytes.toString());
    await close();
  });

  it("B18 goes to nobody who does not say which system it is", async () => {
    const { get, close } = await world(ROWS);
    const { status, bytes } = await get("m", undefined);
    expect(status).toBe(403);
    expect(bytes.toString()).toContain("system-missing");
    await close();
  });

  it("of a message with the same id from two systems is each one's own", async () => {
    const { get, rows, close } = await world(ROWS);
    await get("m", "other/system");
    expect(rows().map(({ position }) => position)).toEqual([5]);
    await close();
  });

  it("that is not sealed yet is asked for again, and says when", async () => {
    const { get, fail, close } = await world(ROWS);
    fail(new BusError("evidence-pending", "position 1 is not sealed yet", { retryAfter: 60_000 }));
    expect(await get("m", "town/hall")).toMatchObject({ status: 503, headers: { "retry-after": "60" } });
    await close();
  });

  it("is only asked for", async () => {
    const { get, close } = await world(ROWS);
    expect(await get("m", "town/hall", "DELETE")).toMatchObject({ status: 405, headers: { allow: "GET" } });
    await close();
  });
});
