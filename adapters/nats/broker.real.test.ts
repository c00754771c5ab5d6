/** The broker suite against a real NATS server. */
import { afterAll, describe, it } from "vitest";
import { brokerSuite } from "#test/conformance/broker.ts";
import { natsServer } from "#test/harness/nats.ts";
import { openNatsBroker } from "./transport.ts";

const server = await natsServer();
let worlds = 0;

if (server) {
  afterAll(() => server.close());
  const run = process.pid;
  brokerSuite("nats", ["depth"], async () => {
    const settings = { url: server.url, node: "test", deployment: `T${run}-${++worlds}`, maxBytes: 33_554_432, patience: 20_000 };
    const open = () => openNatsBroker(settings);
    let port = await open();
    return {
      port,
      async restart() {
        await port.close();
        port = await open();
        return port;
      },
      close: () => port.close(),
    };
  });
} else describe.skip("nats as a broker (no NATS server can be had here)", () => it("is skipped", () => undefined));
