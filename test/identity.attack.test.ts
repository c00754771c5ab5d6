/** Certificates that must not count, and TLS that must not be taken, against a running bus: catalogue numbers A45 (X.509) and B04 (TLS). */
import { spawnSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { copyFileSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { connect, type AddressInfo, type Socket } from "node:net";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { writeQuestion } from "#bus/identity/ocsp.ts";
import { createSite, type BusProcess, type Site } from "#test/harness/bus-process.ts";
import { AUTHORITY, CLIENT, createWorkshop, RSA, type Made, type Wanted, type Workshop } from "#test/harness/certificates.ts";
import { callTls, handshake, keptAgent, type Answer, type CallOptions, type Caller } from "#test/harness/mtls.ts";
import { eventually } from "#test/harness/receiver.ts";

const OPENSSL = spawnSync("openssl", ["version"]).status === 0;
const PATIENCE = 60_000;
const CLIENTS = "/mpass/api/clients";
/** A chain as a client sends it: its own certificate first. */
const chain = (...made: readonly Made[]): Caller => ({ cert: made.map(({ cert }) => cert).join(""), key: made[0]?.key ?? "" });
const serialOf = (made: Made): string => new X509Certificate(made.cert).serialNumber;

describe.skipIf(!OPENSSL)("callers over TLS", () => {
  let shop: Workshop;
  let site: Site;
  let bus: BusProcess;
  let responder: Server;
  /** A good answer to another question about the same certificate. */
  let kept: Buffer;
  const made: Record<string, Made> = {};
  const one = (name: string): Made => made[name] ?? expect.fail(`no certificate ${name}`);
  const ask = (caller: Caller, options?: CallOptions): Promise<Answer> => callTls(bus.https, CLIENTS, caller, options);
  const as = (name: string, options?: CallOptions): Promise<Answer> => ask(one(name), options);
  const publishCrl = (name: string, authority: Made, revoked: readonly Made[], days?: number): void => {
    const file = shop.crl(name, authority, revoked.map(serialOf), days);
    renameSync(file, shop.path(`crls/${name}.crl`));
  };

  /** Everything that one system each has registered, so that only what is wrong with it can refuse it. */
  const REGISTERED: Readonly<Record<string, (issuers: Readonly<Record<string, Made>>) => Partial<Wanted>>> = {
    good: () => ({}),
    rsa: () => ({ key: RSA(2048) }),
    next: () => ({}),
    withdrawn: () => ({}),
    expired: () => ({ from: -20, until: -2 }),
    future: () => ({ from: 2, until: 20 }),
    revoked: () => ({}),
    "no-purpose": () => ({ extensions: CLIENT.slice(0, 2) }),
    "server-only": () => ({ extensions: [...CLIENT.slice(0, 2), "extendedKeyUsage=serverAuth"] }),
    "weak-rsa": () => ({ key: RSA(1024) }),
    sha1: () => ({ digest: "sha1" }),
    "odd-critical": () => ({ extensions: [...CLIENT, "1.2.3.4.5=critical,ASN1:UTF8String:odd"] }),
    "below-system": ({ good }) => ({ ...(good && { issuer: good }) }),
    "below-short": ({ short }) => ({ ...(short && { issuer: short }) }),
    "outside-names": ({ named }) => ({ ...(named && { issuer: named }), extensions: [...CLIENT, "subjectAltName=DNS:evil.example"] }),
    foreign: ({ foreignCa }) => ({ ...(foreignCa && { issuer: foreignCa }) }),
    "by-ocsp": ({ ocspCa }) => ({ ...(ocspCa && { issuer: ocspCa }) }),
    "by-ocsp-2": ({ ocspCa }) => ({ ...(ocspCa && { issuer: ocspCa }) }),
    "by-ocsp-3": ({ ocspCa }) => ({ ...(ocspCa && { issuer: ocspCa }) }),
    "by-ocsp-4": ({ ocspCa }) => ({ ...(ocspCa && { issuer: ocspCa }) }),
    "by-ocsp-5": ({ ocspCa }) => ({ ...(ocspCa && { issuer: ocspCa }) }),
    "stale-list": ({ staleCa }) => ({ ...(staleCa && { issuer: staleCa }) }),
    "below-between": ({ between }) => ({ ...(between && { issuer: between }) }),
    "below-sent": ({ sent }) => ({ ...(sent && { issuer: sent }) }),
    twice: () => ({}),
  };

  beforeAll(async () => {
    shop = createWorkshop();
    const authority = (name: string, wanted: Partial<Wanted> = {}): Made =>
      (made[name] = shop.make(name, { subject: `/CN=${name}`, extensions: AUTHORITY, ...wanted }));
    const [ca, ocspCa, staleCa] = [authority("ca", { key: RSA(2048) }), authority("ocspCa"), authority("staleCa")];
    authority("foreignCa");
    const below = (name: string, ...more: string[]): Made => authority(name, { issuer: ca, extensions: [...AUTHORITY.slice(1), ...more] });
    below("sent", "basicConstraints=critical,CA:TRUE");
    below("between", "basicConstraints=critical,CA:TRUE");
    authority("short", { issuer: below("above-short", "basicConstraints=critical,CA:TRUE,pathlen:0") });
    below("named", "basicConstraints=critical,CA:TRUE", "nameConstraints=critical,permitted;DNS:gov.md");
    let deepest = ca;
    for (let depth = 1; depth <= 10; depth += 1) deepest = authority(`deep-${depth}`, { issuer: deepest });
    made["deep"] = shop.make("deep", { subject: "/CN=deep", issuer: deepest });
    for (const [name, wanted] of Object.entries(REGISTERED))
      made[name] = shop.make(name, { subject: `/CN=${name}`, issuer: ca, ...wanted(made) });
    made["proxy"] = shop.make("proxy", { subject: "/CN=proxy", issuer: ca });
    for (const folder of ["cas", "crls"]) mkdirSync(shop.path(folder));
    for (const { certFile } of [ca, ocspCa, staleCa, one("between")])
      copyFileSync(certFile, shop.path(`cas/${certFile.split("/").at(-1)}`));
    for (const name of [
      "between",
      "named",
      "short",
      "above-short",
      "deep-1",
      "deep-2",
      "deep-3",
      "deep-4",
      "deep-5",
      "deep-6",
      "deep-7",
      "deep-8",
      "deep-9",
      "deep-10",
    ])
      publishCrl(`of-${name}`, one(name), []);
    publishCrl("of-ca", ca, [one("revoked")]);
    publishCrl("of-stale", staleCa, [], -1);
    const [certificate, issuer] = [new X509Certificate(one("by-ocsp-2").cert), new X509Certificate(ocspCa.cert)];
    const before = writeQuestion({ certificate, issuer, nonce: Buffer.alloc(16, 1) });
    kept = shop.ocsp(ocspCa, before, { good: [serialOf(one("by-ocsp-2"))] });
    responder = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => response.end(answerOf(Buffer.concat(chunks))));
    });
    await new Promise<void>((resolve) => responder.listen(0, "127.0.0.1", resolve));
    const proxy = new X509Certificate(one("proxy").cert).fingerprint256;
    site = createSite({
      MBUS_TLS_CLIENT_CA: shop.path("cas"),
      MBUS_TLS_CRL: shop.path("crls"),
      MBUS_TLS_REVOCATION: "crl-or-ocsp",
      MBUS_TLS_OCSP_URL: `http://127.0.0.1:${(responder.address() as AddressInfo).port}/`,
      MBUS_TRUSTED_PROXY: proxy,
    });
    mkdirSync(join(site.root, "routes/keys"));
    for (const name of [...Object.keys(REGISTERED), "deep"]) copyFileSync(one(name).certFile, join(site.root, `routes/keys/${name}.pem`));
    writeFileSync(join(site.root, "routes/callers.yaml"), systemsOf({}));
    bus = await site.start();
  }, 180_000);
  afterAll(async () => {
    await site?.remove();
    responder?.close();
    shop?.close();
  });

  /** The responder's word depends on whom it is asked about. */
  function answerOf(question: Buffer): Buffer {
    const about = (name: string): boolean => question.includes(Buffer.from(serialOf(one(name)), "hex"));
    if (about("by-ocsp-2")) return kept;
    const [good, revoked] = [[serialOf(one("by-ocsp-3"))], [serialOf(one("by-ocsp"))]];
    return about("by-ocsp-4") ? Buffer.alloc(0) : shop.ocsp(one("ocspCa"), question, { good, revoked });
  }

  /** A system `test/<name>` for each registered certificate; `good` has the next one too, and two systems have `twice`. */
  function systemsOf(without: Readonly<Record<string, boolean>>): string {
    const names = [...Object.keys(REGISTERED), "deep"].filter((name) => name !== "next");
    const lists = names.map((name) => [name, name === "good" ? ["good", "next"] : [name]] as const);
    return [...lists, ["twice-2", ["twice"]] as const]
      .map(([name, files]) => {
        const certificates = without[name] ? [] : files.map((file) => `./keys/${file}.pem`);
        return `bus: system/v1\nid: test/${name}\ntitle: ${name}\ninstitution: { idno: "1004600030235", name: Test }\ncertificates: [${certificates.join(", ")}]\nsettings: { good: { of: ${name} }, other: { secret: true } }\n`;
      })
      .join("---\n");
  }

  it("take a registered certificate of a trusted authority, with an elliptic and with an RSA key", async () => {
    expect(await as("good")).toMatchObject({ status: 200 });
    expect(await as("rsa")).toMatchObject({ status: 200 });
  });

  it("take both certificates while one is replaced by the next", async () => {
    const [first, second] = [await as("good"), await as("next")];
    expect([first.status, second.status]).toEqual([200, 200]);
  });

  it("take a certificate below an authority between, when that stands among the trusted ones", async () => {
    for (const caller of [one("below-between"), chain(one("below-between"), one("between"))]) {
      const answer = await ask(caller);
      expect(answer.status, answer.body).toBe(200);
    }
  });

  describe("A45 a certificate counts for nobody", () => {
    const refusals: readonly (readonly [string, () => Caller, RegExp])[] = [
      ["that has ended", () => one("expired"), /CERT_HAS_EXPIRED/],
      ["that is not valid yet", () => one("future"), /CERT_NOT_YET_VALID/],
      ["that its authority's list revokes", () => one("revoked"), /`ca` revoked it \(revocation list\)/],
      ["of whom only a list that ended could tell", () => one("stale-list"), /ended on .*|answer/],
      ["that is for servers", () => one("server-only"), /INVALID_PURPOSE|unsuitable|extended key usage/i],
      ["that is for nothing in particular", () => one("no-purpose"), /extended key usage/],
      ["with an RSA key of 1024 bits", () => one("weak-rsa"), /1024 bits/],
      ["signed over SHA-1", () => one("sha1"), /signed with .*SHA-?1/i],
      ["with a critical extension nobody knows", () => one("odd-critical"), /critical extension 1.2.3.4.5/],
      ["issued by a system", () => chain(one("below-system"), one("good")), /no authority \(CA:FALSE\)/],
      [
        "below an authority that only the caller knows",
        () => chain(one("below-sent"), one("sent")),
        /stands not among the trusted authorities/,
      ],
      ["below an authority that may have none below it", () => chain(one("below-short"), one("short"), one("above-short")), /PATH_LENGTH/],
      ["with a name outside its authority's constraints", () => chain(one("outside-names"), one("named")), /name constraints/],
      [
        "ten authorities deep",
        () => chain(one("deep"), ...Array.from({ length: 10 }, (_, at) => one(`deep-${10 - at}`))),
        /CHAIN|issuer|depth|list/i,
      ],
      ["of an authority nobody trusts, sent along with it", () => chain(one("foreign"), one("foreignCa")), /SELF_SIGNED/],
      ["that two systems have", () => one("twice"), /registered for test\/twice and test\/twice-2/],
      [
        "of the right authority that nobody registered",
        () => shop.make("stranger", { subject: "/CN=good", issuer: one("ca") }),
        /registered for no system/,
      ],
      ["that signed itself", () => shop.make("self", { subject: "/CN=good" }), /SELF_SIGNED/],
    ];
    it.each(refusals)("%s, and the answer says why", async (_, caller, why) => {
      const answer = await ask(caller());
      expect(answer, answer.body).toMatchObject({ status: 403, type: "application/problem+json" });
      const { type, detail } = JSON.parse(answer.body) as { type: string; detail: string };
      expect(type).toBe("urn:mconnect-bus:error:system-unknown");
      expect(detail).toMatch(why);
    });

    it.each([
      ["the id of a system", "/CN=cnas\\/pensions/O=1004600030235"],
      ["two names", "/CN=nobody/CN=cnas\\/pensions/O=1004600030235"],
      ["a name in the organisation", "/O=CN=cnas\\/pensions"],
      ["a line break in the name", "/CN=x\nCN=cnas\\/pensions"],
      ["a look-alike name", "/CN=cnas\\/pensіons"],
    ])("whatever name it bears: %s", async (title, subject) => {
      const trick = shop.make(`trick-${title.length}`, { subject, issuer: one("ca") });
      expect(await ask(trick)).toMatchObject({ status: 403, body: expect.stringContaining("registered for no system") as string });
    });

    it.each([
      ["revoked", "by-ocsp", /its authority revoked it \(OCSP\)/],
      ["something of another question", "by-ocsp-2", /another question|not speak of this/],
      ["nothing", "by-ocsp-4", /cannot be read/],
      ["that it does not know it", "by-ocsp-5", /does not know this certificate/],
    ])("while its responder says %s", async (_, name, why) => {
      const answer = await as(name);
      expect(answer.status).toBe(403);
      expect(answer.body).toMatch(why);
    });

    it("but does while its responder says good", async () => {
      expect(await as("by-ocsp-3")).toMatchObject({ status: 200 });
    });

    it("and a caller of SOAP reads it as a fault", async () => {
      const path = "/mconnect/soap/rsp/population/PersonRegistry";
      const post = (type: string) =>
        callTls(bus.https, path, one("revoked"), { method: "POST", headers: { "content-type": type }, body: "<a/>" });
      const [old, recent] = [await post("text/xml"), await post("application/soap+xml; charset=utf-8")];
      expect(old).toMatchObject({ status: 500, type: "text/xml; charset=utf-8" });
      expect(old.body).toMatch(/<faultcode>soap:Client<\/faultcode><faultstring>[^<]*revoked it[^<]*<\/faultstring>/);
      expect(recent).toMatchObject({ status: 400, type: "application/soap+xml; charset=utf-8" });
      expect(recent.body).toMatch(/<soap:Value xmlns:m="urn:mconnect-bus:fault">m:system-unknown<\/soap:Value>/);
    });

    it("from the moment it is revoked, also on a connection that stands and on a session that is resumed", async () => {
      const agent = keptAgent();
      expect(await as("withdrawn", { agent })).toMatchObject({ status: 200 });
      const session = await new Promise<Buffer>((resolve, reject) => {
        const url = new URL(bus.https);
        const socket = connectTls({
          host: url.hostname,
          port: Number(url.port),
          servername: "localhost",
          rejectUnauthorized: false,
          ...one("withdrawn"),
        });
        socket.once("session", (given: Buffer) => {
          socket.destroy();
          resolve(given);
        });
        socket.once("error", reject);
        socket.once("secureConnect", () => socket.write("GET / HTTP/1.1\r\nhost: localhost\r\n\r\n"));
      });
      publishCrl("of-ca", one("ca"), [one("revoked"), one("withdrawn")]);
      let last: Answer | undefined;
      await eventually(
        async () => (last = await as("withdrawn", { agent })).status === 403,
        () => `still ${last?.status}`,
        PATIENCE,
      );
      expect(last?.body).toContain("revoked it");
      expect(await as("withdrawn", { tls: { session } })).toMatchObject({ status: 403 });
      agent.destroy();
      expect(await as("good")).toMatchObject({ status: 200 });
    });

    it("once its system's file no longer names it, also on a connection that stands", async () => {
      const agent = keptAgent();
      expect(await as("rsa", { agent })).toMatchObject({ status: 200 });
      writeFileSync(join(site.root, "routes/callers.yaml"), systemsOf({ rsa: true }));
      let last: Answer | undefined;
      await eventually(
        async () => (last = await as("rsa", { agent })).status === 403,
        () => `still ${last?.status}`,
        PATIENCE,
      );
      expect(last?.body).toContain("registered for no system");
      agent.destroy();
    });
  });

  describe("B04 TLS", () => {
    it("without a certificate names nobody", async () => {
      expect(await ask({})).toMatchObject({ status: 403 });
    });

    it.each(["TLSv1", "TLSv1.1"] as const)("%s is not spoken", async (version) => {
      const said = await handshake(bus.https, { minVersion: version, maxVersion: version });
      expect(said.protocol).toBeUndefined();
      expect(said.why).toMatch(/PROTOCOL|VERSION|ALERT|closed|ECONNRESET/);
    });

    it.each(["TLSv1.2", "TLSv1.3"] as const)("%s is", async (version) => {
      expect(await handshake(bus.https, { minVersion: version, maxVersion: version })).toEqual({ protocol: version });
    });

    it("of one name carries no request for another", async () => {
      expect(await as("good", { servername: "localhost", host: "mlog.localhost" })).toMatchObject({ status: 421 });
      expect(await as("good", { servername: "mlog.localhost", host: "localhost" })).toMatchObject({ status: 421 });
      expect(await as("good", { servername: "localhost", host: "127.0.0.1" })).toMatchObject({ status: 200 });
      expect(await as("good", { servername: "mpass.localhost", host: "mpass.localhost:8443" })).toMatchObject({ status: 200 });
    });

    it("with strange server names does no harm", async () => {
      for (const servername of ["x".repeat(200), "a..b", "*", "xn--", "localhost.", "-"]) await handshake(bus.https, { servername });
      expect(await as("good")).toMatchObject({ status: 200 });
    });

    it("renegotiated over and over is ended", async () => {
      const url = new URL(bus.https);
      const socket = connectTls({
        host: url.hostname,
        port: Number(url.port),
        servername: "localhost",
        rejectUnauthorized: false,
        maxVersion: "TLSv1.2",
      });
      const ended = new Promise<void>((resolve) => socket.once("close", () => resolve()));
      socket.on("error", () => undefined);
      socket.resume();
      await new Promise<void>((resolve) => socket.once("secureConnect", () => resolve()));
      const again = (): void => void socket.renegotiate({ rejectUnauthorized: false }, (error) => error === null && again());
      again();
      await ended;
      expect(await as("good")).toMatchObject({ status: 200 });
    });

    it("that is none does no harm, and is counted", async () => {
      const url = new URL(bus.https);
      for (const bytes of ["GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01\xff\xff", "\0".repeat(500)]) {
        const socket = connect(Number(url.port), url.hostname);
        socket.on("error", () => undefined);
        socket.resume();
        const ended = new Promise<void>((resolve) => socket.once("close", () => resolve()));
        socket.end(bytes, "latin1");
        await ended;
      }
      await eventually(
        async () => /mbus_callers_refused_total\{reason="handshake-failed"\} [1-9]/.test(await (await fetch(`${bus.http}/metrics`)).text()),
        () => "no failed handshake was counted",
        PATIENCE,
      );
      const metrics = await (await fetch(`${bus.http}/metrics`)).text();
      expect(metrics).toMatch(/mbus_callers_refused_total\{reason="certificate"\} [1-9]/);
      expect(metrics).toMatch(/mbus_callers_refused_total\{reason="handshake-certificate"\} [1-9]/);
      expect(await as("good")).toMatchObject({ status: 200 });
    });

    it("begun and left by hundreds takes no more than its share, and others are served after it", async () => {
      const url = new URL(bus.https);
      const sockets: Socket[] = [];
      let closed = 0;
      for (let count = 0; count < 400; count += 1) {
        const socket = connect(Number(url.port), url.hostname);
        socket.on("error", () => undefined);
        socket.once("close", () => (closed += 1));
        sockets.push(socket);
      }
      await eventually(
        async () => closed >= 100,
        () => `only ${closed} were ended`,
        PATIENCE,
      );
      for (const socket of sockets) socket.destroy();
      await eventually(
        async () => (await as("good").catch(() => undefined))?.status === 200,
        () => "nobody is served any more",
        PATIENCE,
      );
    });
  });

  describe("B04 a proxy's word", () => {
    const serial = (): string => serialOf(one("good"));
    const named = (headers: Readonly<Record<string, string>>): CallOptions => ({ headers });

    it("counts from the trusted proxy, by GUID and by serial number", async () => {
      const list = JSON.parse((await as("good")).body) as { ID: string; Name: string }[];
      const guid = list.find(({ Name }) => Name === "good")?.ID ?? "";
      expect(await as("proxy", named({ "x-mpass-client-id": guid.toUpperCase() }))).toMatchObject({ status: 200 });
      expect(await as("proxy", named({ "x-mpass-client-cert-serial": serial() }))).toMatchObject({ status: 200 });
      expect(await as("proxy", named({ "x-mpass-client-id": guid, "x-mpass-client-cert-serial": serial() }))).toMatchObject({
        status: 200,
      });
    });

    it("is refused, not passed over, from anybody else", async () => {
      for (const caller of ["good", "by-ocsp-3", undefined]) {
        const answer = await ask(caller === undefined ? {} : one(caller), named({ "x-mpass-client-cert-serial": serial() }));
        expect(answer).toMatchObject({ status: 403, body: expect.stringContaining("count only from a trusted proxy") as string });
      }
      const plain = await fetch(`${bus.http}${CLIENTS}`, {
        headers: { "x-system": "cnas/pensions", "x-mpass-client-cert-serial": serial() },
      });
      expect(plain.status).toBe(403);
    });

    it("counts for nobody where it names nobody, two, or one whose certificate does not count", async () => {
      const other = serialOf(one("by-ocsp-3"));
      const guid = (JSON.parse((await as("good")).body) as { ID: string; Name: string }[]).find(({ Name }) => Name === "good")?.ID ?? "";
      for (const headers of [
        { "x-mpass-client-cert-serial": "00" },
        { "x-mpass-client-id": "no guid" },
        { "x-mpass-client-cert-serial": serialOf(one("revoked")) },
        { "x-mpass-client-cert-serial": serialOf(one("expired")) },
        { "x-mpass-client-id": guid, "x-mpass-client-cert-serial": other },
        { "x-mpass-client-cert-serial": `${serial()}, ${other}` },
      ])
        expect(await as("proxy", named(headers)), JSON.stringify(headers)).toMatchObject({ status: 403 });
      expect(await as("proxy")).toMatchObject({ status: 403 });
    });
  });

  describe("the register of systems", () => {
    it("shows one system by GUID or serial number as the state's clients read it, with the asker's settings alone", async () => {
      const by = (type: string, value: string): Promise<Answer> =>
        callTls(bus.https, `${CLIENTS}?searchType=${type}&searchValue=${encodeURIComponent(value)}`, one("good"));
      const found = await by("CertificateSerialNumber", serialOf(one("next")));
      expect(found).toMatchObject({ status: 200, type: "application/json" });
      const client = JSON.parse(found.body) as Record<string, unknown>;
      const der = [one("good"), one("next")].map(({ cert }) => new X509Certificate(cert).raw.toString("base64"));
      expect(client).toEqual({
        ID: expect.any(String) as string,
        Name: "good",
        OwnerID: "1004600030235",
        Certificates: der,
        Settings: '{"of":"good"}',
      });
      expect(JSON.parse((await by("ID", String(client["ID"]))).body)).toEqual(client);
      expect(await by("ID", "3fa85f64-5717-4562-b3fc-2c963f66afa6")).toMatchObject({ status: 404 });
      expect(await by("CertificateSerialNumber", "01")).toMatchObject({ status: 404 });
      expect(await by("Name", "good")).toMatchObject({ status: 400 });
      expect(await callTls(bus.https, CLIENTS, one("good"), { method: "POST", body: "{}" })).toMatchObject({ status: 405 });
    });
  });
});
