import { createWebClient } from "#adapters/web/client.ts";
import { GOOD_TEXT, inletConformance } from "#test/conformance/inlet.ts";
import { outletConformance } from "#test/conformance/outlet.ts";
import { echoJson } from "#test/harness/echo-json.ts";
import { openFarSide } from "#test/harness/far-side.ts";
import { messageOf } from "#test/harness/message.ts";
import { webWorld } from "#test/harness/web-world.ts";
import { createHttpInlet } from "./inlet.ts";
import { createHttpOutlet } from "./outlet.ts";

inletConformance({
  name: "http",
  open: webWorld({
    mediaType: "application/json",
    bodies: { good: JSON.stringify({ text: GOOD_TEXT }), broken: "{broken" },
    inlet: ({ drain, ...at }) =>
      createHttpInlet(
        {
          ...at,
          method: "POST",
          codec: echoJson,
          replyCodec: undefined,
          binding: { route: "echo", from: "outside", system: undefined, pattern: "event" },
        },
        drain,
      ),
  }),
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
