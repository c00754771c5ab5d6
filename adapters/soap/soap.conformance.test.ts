import { createWebClient } from "#adapters/web/client.ts";
import { createWebHost } from "#adapters/web/host.ts";
import { GOOD_TEXT, inletConformance } from "#test/conformance/inlet.ts";
import { outletConformance } from "#test/conformance/outlet.ts";
import { echoSoap, envelopeXml } from "#test/harness/echo-soap.ts";
import { openFarSide } from "#test/harness/far-side.ts";
import { messageOf } from "#test/harness/message.ts";
import { createSoapInlet } from "./inlet.ts";
import { createSoapOutlet } from "./outlet.ts";

inletConformance({
  name: "soap",
  async open({ drain, maxInFlight }) {
    const host = await createWebHost({
      http: { host: "127.0.0.1", port: 0 },
      samples: true,
      identify: ({ header }) => header,
      maxBytes: 100_000,
      drainTimeout: 100,
    });
    const binding = { route: "echo", from: "outside", system: undefined, pattern: "query" } as const;
    const bindings = new Map([["Echo", binding]]);
    const inlet = createSoapInlet(
      { host, path: "/echo", service: echoSoap(), bindings, limits: { maxBytes: 100_000, maxInFlight } },
      drain,
    );
    return {
      inlet,
      async send(kind) {
        const body = kind === "good" ? envelopeXml("1.1", `<Echo>${GOOD_TEXT}</Echo>`) : "<broken";
        const response = await fetch(`${host.address.http}/echo`, { method: "POST", headers: { "content-type": "text/xml" }, body });
        const headers = [...response.headers].map(([name, value]) => `${name}: ${value}`).join("\n");
        return { ok: response.ok, text: `${response.status}\n${headers}\n${await response.text()}` };
      },
      close: () => host.close(),
    };
  },
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
