import { afterAll, beforeAll } from "vitest";
import { outletConformance } from "#test/conformance/outlet.ts";
import { messageOf } from "#test/harness/message.ts";
import { smtpPeer, type SmtpPeer } from "#test/harness/smtp.ts";
import { createMailOutlet } from "./outlet.ts";

let peer: SmtpPeer;
beforeAll(async () => void (peer = await smtpPeer({ hideSTARTTLS: true })));
afterAll(() => peer.kill());

const noWait = "SMTP has no Retry-After and other codes; see outlet.test.ts";
outletConformance({
  name: "mail",
  faultCode: "554",
  skip: {
    "gives provider-unavailable when the far side is unavailable": noWait,
    "gives throttled when the far side is throttled": noWait,
  },
  async open() {
    await peer.behave("ok");
    const before = peer.begun.length;
    let gone = false;
    const outlet = (port: number) =>
      createMailOutlet({
        server: { host: "127.0.0.1", port, security: "none", ca: undefined, login: undefined },
        template: { from: "noreply@cnas.gov.md", to: "{email}", subject: "s", text: "t" },
        maxBytes: 10_000,
      });
    const [here, nowhere] = [outlet(peer.port), outlet(1)];
    return {
      outlet: {
        ...here,
        async send(message, signal) {
          try {
            return await (gone ? nowhere : here).send(message, signal);
          } finally {
            await peer.settled();
          }
        },
      },
      async behave(next) {
        gone = next === "gone";
        if (next === "fault") await peer.behave("refuse");
        else if (next !== "gone" && next !== "unavailable" && next !== "throttled") await peer.behave(next);
      },
      release: () => peer.release(),
      keys: () => peer.begun.slice(before),
      brokenOff: () => peer.broken(),
      message: (id) => messageOf({ email: "ana@example.md" }, { id }),
      close: () => Promise.resolve(),
    };
  },
});
