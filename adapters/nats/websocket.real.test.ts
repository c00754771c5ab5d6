/** NATS over WebSocket, as through a web proxy: the same broker and topics, and it comes back after the server was killed. */
import { createServer } from "node:net";
import { afterAll, describe, expect, it } from "vitest";
import { carriedEnvelope, collect } from "#test/conformance/broker-parts.ts";
import { natsServer } from "#test/harness/nats.ts";
import { openTopics } from "./topics.ts";
import { openNatsBroker } from "./transport.ts";

const port = await new Promise<number>((resolve, reject) => {
  const server = createServer().once("error", reject);
  server.listen(0, "127.0.0.1", () => {
    const { port: free } = server.address() as { port: number };
    server.close(() => resolve(free));
  });
});
const server = await natsServer({ config: `websocket { host: "127.0.0.1", port: ${port}, no_tls: true }\n` });
afterAll(() => server?.close());
const settings = { url: `ws://127.0.0.1:${port}`, node: "n1", maxBytes: 33_554_432, patience: 60_000 };
const LANE = { topic: "mbus.test.thing.v1", group: "g", partition: 0 };

describe.skipIf(!server?.kill || !server.revive)("NATS over WebSocket", () => {
  it("carries the bus's messages, also past a server that was killed and started again", async () => {
    const broker = await openNatsBroker(settings);
    try {
      const got = await collect(broker, LANE, true, 64);
      const sent: Promise<void>[] = [];
      for (let n = 1; n <= 300; n++) {
        sent.push(broker.send(LANE.topic, 0, { envelope: carriedEnvelope(n), position: n, after: n - 1 }));
        if (n === 150) {
          await Promise.all(sent);
          await server?.kill?.();
          await server?.revive?.();
        }
      }
      await Promise.all(sent);
      await got.countDistinct(300);
    } finally {
      await broker.close();
    }
  });

  it("opens the topics of modern systems", async () => {
    const topics = await openTopics(settings);
    try {
      await topics.reader("rsp/population");
      await topics.sends.send("to.rsp_2fpopulation.x.v1", Buffer.from("{}"), { id: "1", headers: {} });
      expect(topics.link.up()).toBe(true);
    } finally {
      await topics.close();
    }
  });
});
