import { createWebClient } from "#adapters/web/client.ts";
import { createWebHost } from "#adapters/web/host.ts";
import { GOOD_TEXT, inletConformance } from "#test/conformance/inlet.ts";
import { outletConformance } from "#test/conformance/outlet.ts";
import { echoJson } from "#test/harness/echo-json.ts";
import { openFarSide } from "#test/harness/far-side.ts";
import { messageOf } from "#test/harness/message.ts";
import { createHttpInlet } from "./inlet.ts";
import { createHttpOutlet } from "./outlet.ts";

inletConformance({
  name: "http",
  async open({ drain, maxInFlight }) {
    const host = await createWebHost({
      http: { host: "127.0.0.1", port: 0 },
      samples: true,
      identify: ({ header }) => header,
      maxBytes: 100_000,
      drainTimeout: 100,
    });
    const binding = { route: "echo", from: "outside", system: undefined, pattern: "event" } as const;
    const limits = { maxBytes: 100_000, maxInFlight };
    const inlet = createHttpInlet({ host, path: "/echo", method: "POST", codec: echoJson, replyCodec: undefined, binding, limits }, drain);
    return {
      inlet,
      async send(kind) {
        const body = kind === "good" ? JSON.stringify({ text: GOOD_TEXT }) : "{broken";
        const response = await fetch(`${host.address.http}/echo`, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body,
        });
        const headers = [...response.headers].map(([name, value]) => `${name}: ${value}`).join("\n");
        return { ok: response.ok, text: `${response.status}\n${headers}\n${await response.text()}` };
      },
      close: () => host.close(),
    };
  },
});

for (const pattern of ["query", "event"] as const)
  outletConformance({
    name: `http (${pattern})`,
    faultCode: "422",
    skip: pattern === "event" ? { "gives provider-reply-invalid when the answer is garbage": "an event has no reply to read" } : {},
    async open() {
      const client = createWebClient();
      const json = { "content-type": "application/json" };
      const replyCodec = pattern === "query" ? echoJson : undefined;
      const farSide = await openFarSide({
        client,
        outlet: (address) =>
          createHttpOutlet({ client, address, method: "POST", pattern, codec: echoJson, replyCodec, headers: {}, maxBytes: 100_000 }),
        message: (id) => messageOf({ text: "hello" }, { id }),
        good: () => ({ status: 200, headers: json, body: '{"text":"hello"}' }),
        fault: { status: 422, headers: { "content-type": "application/problem+json" }, body: "{}" },
      });
      return farSide.world;
    },
  });
