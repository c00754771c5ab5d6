/** Mails to a real server in another process: TLS, accounts, and recipients of whom some are refused. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { openKeys, type Keys } from "#adapters/keys/ca.ts";
import { BusError } from "#bus/errors.ts";
import type { Outlet } from "#bus/ports.ts";
import { messageOf } from "#test/harness/message.ts";
import { smtpPeer, type SmtpPeer } from "#test/harness/smtp.ts";
import { mailFailure } from "./failure.ts";
import { createMailOutlet } from "./outlet.ts";
import type { MailServer } from "./session.ts";

let folder = "";
let keys: Keys;
let [peer, tls]: (SmtpPeer | undefined)[] = [];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "mail-"));
  keys = await openKeys(folder);
  [peer, tls] = await Promise.all([smtpPeer(keys.server), smtpPeer({ ...keys.server, secure: true })]);
});
afterAll(async () => {
  await Promise.all([peer?.kill(), tls?.kill()]);
  await rm(folder, { recursive: true });
});
beforeEach(() => peer?.behave("ok"));

const given = (one: SmtpPeer | undefined): SmtpPeer => {
  if (!one) throw new Error("no mail server");
  return one;
};
const outletOf = (server: Partial<MailServer> = {}): Outlet => {
  const outlet = createMailOutlet({
    server: { host: "127.0.0.1", port: given(peer).port, security: "starttls", ca: keys.ca, login: undefined, ...server },
    template: { from: "noreply@cnas.gov.md", to: "{to}", subject: "Hello {name}", text: "Dear {name}" },
    maxBytes: 10_000,
  });
  return {
    ...outlet,
    async send(message, signal) {
      try {
        return await outlet.send(message, signal);
      } finally {
        await Promise.all([peer?.settled(), tls?.settled()]);
      }
    },
  };
};
const never = new AbortController().signal;
let count = 0;
const messageTo = (...to: string[]) => messageOf({ to, name: "Ana" }, { id: `message-${++count}` });
const failure = (sent: Promise<unknown>): Promise<BusError> =>
  sent.then(
    () => new BusError("unexpected", "it was taken"),
    (error: unknown) => error as BusError,
  );
const reached = (id: string): string[] =>
  given(peer)
    .mails.filter(({ raw }) => raw.includes(`<${id}@`))
    .flatMap(({ to }) => to);

describe("the connection", () => {
  it("is encrypted by STARTTLS before anything is said, and the account is used", async () => {
    const message = messageTo("ana@example.md");
    await outletOf({ login: { user: "bus", password: "correct horse" } }).send(message, never);
    const mail = given(peer).mails.at(-1);
    expect([mail?.secure, mail?.user, mail?.from, mail?.to]).toEqual([true, "bus", "noreply@cnas.gov.md", ["ana@example.md"]]);
    expect(mail?.raw).toContain("Dear Ana");
  });

  it("is TLS from its first byte where the route says so", async () => {
    await outletOf({ port: given(tls).port, security: "tls" }).send(messageTo("ana@example.md"), never);
    expect(given(tls).mails.at(-1)).toMatchObject({ secure: true, to: ["ana@example.md"] });
  });

  it.each(["starttls", "tls"] as const)("to a server of an unknown authority is not used (%s)", async (security) => {
    const port = given(security === "tls" ? tls : peer).port;
    const error = await failure(outletOf({ ca: undefined, security, port }).send(messageTo("ana@example.md"), never));
    expect([error.code, error.message]).toEqual([
      "endpoint-unreachable",
      expect.stringContaining(`127.0.0.1:${port} could not be reached`),
    ]);
  });

  it("to a server that offers no STARTTLS is not used", async () => {
    const bare = await smtpPeer({ hideSTARTTLS: true });
    const error = await failure(outletOf({ port: bare.port }).send(messageTo("ana@example.md"), never));
    await bare.kill();
    expect(error.code).toBe("endpoint-unreachable");
    expect(bare.mails).toEqual([]);
  });

  it("with a wrong password is a fault of the configuration that shows neither user nor password", async () => {
    const login = { user: "bus-account", password: "hunter2" };
    const error = await failure(outletOf({ login }).send(messageTo("ana@example.md"), never));
    expect([error.code, error.providerCode]).toEqual(["configuration", "535"]);
    expect(error.message).not.toMatch(/hunter2|bus-account/u);
  });
});

describe("recipients", () => {
  it("get a mail each, and none sees another", async () => {
    const message = messageTo("ana@example.md", "ion@example.md");
    await outletOf().send(message, never);
    const mails = given(peer).mails.filter(({ raw }) => raw.includes(`<${message.envelope.id}@`));
    expect(mails.map(({ to }) => to)).toEqual([["ana@example.md"], ["ion@example.md"]]);
    for (const { raw, to } of mails) expect(raw.match(/[a-z]+@example\.md/gu)).toEqual(to);
  });

  it("that are refused for good are told by number, and the others have their mail", async () => {
    const message = messageTo("ana@example.md", "gone-1@example.md", "ion@example.md", "gone-2@example.md");
    const error = await failure(outletOf().send(message, never));
    expect(error).toMatchObject({ code: "provider-fault", providerCode: "550" });
    expect(error.places).toEqual([
      { path: "to[1]", rule: "550", text: "recipient 2 of 4 was refused with 550" },
      { path: "to[3]", rule: "550", text: "recipient 4 of 4 was refused with 550" },
    ]);
    expect(error.message).not.toContain("gone");
    expect(reached(message.envelope.id)).toEqual(["ana@example.md", "ion@example.md"]);
  });

  it("that cannot be reached now are tried again, and nobody gets the mail twice", async () => {
    const outlet = outletOf();
    const message = messageTo("ana@example.md", "full@example.md", "gone@example.md");
    for (let attempt = 0; attempt < 3; attempt++)
      expect(await failure(outlet.send(message, never))).toMatchObject({ code: "endpoint-unavailable", providerCode: "452" });
    expect(reached(message.envelope.id)).toEqual(["ana@example.md"]);
  });

  it("are tried again by hand after a refusal, without those who have it", async () => {
    const outlet = outletOf();
    const message = messageTo("ana@example.md", "gone@example.md");
    for (let attempt = 0; attempt < 2; attempt++) expect((await failure(outlet.send(message, never))).code).toBe("provider-fault");
    expect(reached(message.envelope.id)).toEqual(["ana@example.md"]);
  });

  it("get a message that is sent on purpose once more", async () => {
    const outlet = outletOf();
    const message = messageTo("ana@example.md");
    await outlet.send(message, never);
    await outlet.send(message, never);
    expect(reached(message.envelope.id)).toEqual(["ana@example.md", "ana@example.md"]);
  });
});

describe("the server's answer", () => {
  it.each([
    ["busy", "endpoint-unavailable", "451"],
    ["closing", "endpoint-unavailable", "421"],
    ["refuse", "provider-fault", "554"],
  ] as const)("of kind %s is %s, without its words", async (behaviour, code, providerCode) => {
    await given(peer).behave(behaviour);
    const error = await failure(outletOf().send(messageTo("ana@example.md"), never));
    expect(error).toMatchObject({ code, providerCode });
    expect(JSON.stringify([error.message, error.places])).not.toMatch(/Ana|spam|example/u);
  });

  it("is told apart by nodemailer's codes", () => {
    const of = (facts: object) => mailFailure(Object.assign(new Error("x"), facts), "h:25", never).error.code;
    expect([of({ code: "ETIMEDOUT" }), of({ code: "EDNS" }), of({ code: "EAUTH", responseCode: 454 }), of({ code: "EAUTH" })]).toEqual([
      "attempt-timeout",
      "endpoint-unreachable",
      "endpoint-unavailable",
      "configuration",
    ]);
  });
});
