/** The ports in memory keep the same promises as the engines, or say which they do not. */
import { createMemoryDisk, createMemoryJournal, createMemoryStore } from "./memory.ts";
import { createMemoryTransport } from "./memory-transport.ts";
import type { Clock } from "#bus/ports.ts";
import { journalSuite } from "#test/conformance/journal.ts";
import { storeSuite } from "#test/conformance/store.ts";
import { transportSuite } from "#test/conformance/transport.ts";
import type { World } from "#test/conformance/cases.ts";
import { setTimeout as sleep } from "node:timers/promises";

const clock: Clock = { now: () => Date.now(), sleep: (ms, signal) => sleep(ms, undefined, signal ? { signal } : {}) };

/** "Restarting" is making the port anew on the same disk. */
async function worldOf<T extends { close(): Promise<void> }>(make: () => T): Promise<World<T>> {
  let port = make();
  return {
    port,
    async restart() {
      await port.close();
      port = make();
      return port;
    },
    close: () => port.close(),
  };
}

journalSuite("memory", ["durable", "dedupe", "search", "restart"], () => {
  const disk = createMemoryDisk();
  return worldOf(() => createMemoryJournal({ disk }));
});
storeSuite("memory", ["unique", "version", "range", "blobs", "restart"], () => {
  const disk = createMemoryDisk();
  return worldOf(() => createMemoryStore(disk));
});
transportSuite(
  "memory",
  ["durable", "ordered", "groups", "durable-wait", "request", "restart"],
  () => {
    const { topics } = createMemoryDisk();
    return worldOf(() => createMemoryTransport({ clock, topics }));
  },
  { "a backlog of twenty thousand is counted and drained": "the first is handed out while subscribing: seen, and not finished yet" },
);
