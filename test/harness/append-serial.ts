/** A child that appends one record after the other and says on stdout how each ended. Arguments: data folder, how many, pages before a checkpoint. */
import { writeSync } from "node:fs";
import { openEmbedded } from "#adapters/embedded/engine.ts";
import { BusError } from "#bus/errors.ts";

const [dataDir, count, pages] = process.argv.slice(2);
if (dataDir === undefined || count === undefined || pages === undefined) throw new Error("give the data folder and two numbers");
const engine = await openEmbedded({ dataDir, limits: { checkpointPages: Number(pages) } });
for (let n = 0; n < Number(count); n++) {
  const id = `m-${n}`;
  try {
    const original = new Uint8Array(100 + n * 61).fill(n);
    const [one] = await engine.journal.append([{ step: "accepted", outcome: "ok", time: Date.now(), id, correlationId: id, original }]);
    // Written at once: what a buffer still held at a kill would not count as acknowledged.
    writeSync(1, `acked ${id} ${one?.position}\n`);
  } catch (error) {
    writeSync(1, `refused ${id} ${error instanceof BusError ? error.code : "unknown"}\n`);
  }
}
await engine.close();
