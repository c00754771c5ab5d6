/** A child that appends and consumes under load and says on stdout what was acknowledged, until it is killed. Argument: data folder. */
import { writeSync } from "node:fs";
import { openEmbedded } from "#adapters/embedded/engine.ts";

const dataDir = process.argv[2];
if (dataDir === undefined) throw new Error("give the data folder");
const life = `${process.pid}-${Date.now().toString(36)}`;
const engine = await openEmbedded({ dataDir, limits: { runRecords: 300 } });
const documents = await engine.store.collection("acked");
const topic = "load";

await engine.transport.subscribe(topic, "g", { concurrency: 16, ordered: true, from: "start" }, async ({ position }) => {
  // Lines are written at once: what a buffer still held when the kill came would not count as acknowledged.
  writeSync(1, `seen ${position}\n`);
  await Promise.resolve();
});

async function publisher(number: number): Promise<void> {
  for (let n = 0; ; n++) {
    const id = `${life}-${number}-${n}`;
    const time = Date.now();
    const body = new Uint8Array(200 + ((n * 37) % 2_000)).fill(number);
    const envelope = {
      id,
      source: "a/b",
      type: topic,
      time,
      key: `k${number}`,
      correlationId: id,
      contract: "x.v1",
      call: {},
      headers: {},
      body,
    };
    const base = { outcome: "ok", time, id, correlationId: id } as const;
    const [first] = await engine.journal.append([
      { ...base, step: "accepted", topic, envelope, dedupe: { key: id, window: 3_600_000 } },
      { ...base, step: "delivered", branch: "to" },
    ]);
    writeSync(1, `acked ${first?.position} ${id}\n`);
    if (n % 10 === 0) {
      await documents.insert(id, { n });
      writeSync(1, `kept ${id}\n`);
    }
  }
}

writeSync(1, "ready\n");
await Promise.all(Array.from({ length: 24 }, (_, number) => publisher(number)));
