import { createWebClient } from "#adapters/web/client.ts";
import { GOOD_TEXT, inletConformance } from "#test/conformance/inlet.ts";
import { outletConformance } from "#test/conformance/outlet.ts";
import { echoSoap, envelopeXml } from "#test/harness/echo-soap.ts";
import { openFarSide } from "#test/harness/far-side.ts";
import { messageOf } from "#test/harness/message.ts";
import { webWorld } from "#test/harness/web-world.ts";
import { createSoapInlet } from "./inlet.ts";
import { createSoapOutlet } from "./outlet.ts";

inletConformance({
  name: "soap",
  open: webWorld({
    mediaType: "text/xml",
    bodies: { good: envelopeXml("1.1", `<Echo>${GOOD_TEXT}</Echo>`), broken: "<broken" },
    inlet({ drain, ...at }) {
      const binding = { route: "echo", from: "outside", system: undefined, pattern: "query" } as const;
      return createSoapInlet({ ...at, service: echoSoap(), bindings: new Map([["Echo", binding]]) }, drain);
    },
  }),
});

outletConformance({
  name: "soap",
  faultCode: "PersonNotFound",
  async open() {
    const client = createWebClient();
    const xml = { "content-type": "text/xml; charset=utf-8" };
    const farSide = await openFarSide({
      client,
      outlet: (address) =>
        createSoapOutlet({
          client,
          address,
          version: "1.1",
          service: echoSoap(),
          operation: "Echo",
          callContext: "soap",
          headers: {},
          maxBytes: 100_000,
        }),
      message: (id) => messageOf({ text: "hello" }, { id }),
      good: () => ({ status: 200, headers: xml, body: envelopeXml("1.1", "<EchoReply>hello</EchoReply>") }),
      fault: { status: 500, headers: xml, body: envelopeXml("1.1", "<s:Fault><code>PersonNotFound</code></s:Fault>") },
    });
    return farSide.world;
  },
});
