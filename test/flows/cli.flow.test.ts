/** Every verb of the command line and every operator's address, used from outside against one running bus on the default engine. */
import { execFileSync } from "node:child_process";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { DEFAULT_ENGINE } from "#test/harness/flow-engines.ts";
import { cliFlows, jsonOf, type Room } from "./cli.ts";

type Row = Readonly<Record<string, unknown>>;

cliFlows(DEFAULT_ENGINE, (room) => {
  describe("an event by hand", () => {
    it("of a contract without a JSON face is refused with what is wrong, not with a stack", async () => {
      writeFileSync(join(room.site.root, "event.json"), JSON.stringify({ idnp: room.person }));
      const event = ["publish", "person.changed.v1", "--data", join(room.site.root, "event.json")];
      const { code, err } = await room.site.mbus(...event, "--as", "rsp/population");
      expect([code, err.length > 0]).toEqual([1, true]); // this contract has no JSON face
      expect(err).not.toMatch(/at .*\.ts:\d+/u);
    });
  });

  describe("verbs over files", () => {
    it("show, explain, schema and lint print text for people and JSON for machines", async () => {
      expect(await jsonOf(room, "show", "person-lookup", "--effective")).toMatchObject({
        route: "person-lookup",
        yaml: expect.stringContaining("deadline"),
      });
      expect((await room.site.mbus("show", "person-lookup")).out).toContain("minimumCalls");
      expect(await jsonOf(room, "explain", "person-changed")).toMatchObject({
        route: "person-changed",
        text: expect.stringContaining("12"),
      });
      const schema = await jsonOf<Row>(room, "schema");
      expect(schema["$schema"]).toEqual(expect.stringContaining("json-schema.org"));
      expect(await jsonOf(room, "lint")).toMatchObject({ errors: 0, findings: expect.any(Array) });
      const unknown = await room.site.mbus("show", "nobody");
      expect([unknown.code, unknown.err]).toEqual([1, expect.stringContaining("person-lookup")]);
    });

    it("test runs the routes' own tests and tells failures by exit code", async () => {
      const report = await jsonOf<{ passed: number; failed: number }>(room, "test");
      expect(report.failed).toBe(0);
      expect(report.passed).toBeGreaterThan(5);
    });
  });

  describe("bad usage", () => {
    const cases: readonly (readonly [readonly string[], number, RegExp])[] = [
      [["fly"], 2, /unknown command 'fly'/u],
      [["status", "--loud"], 2, /unknown option '--loud'/u],
      [["call", "person.request.v1"], 2, /required option/u],
      [["journal", "find", "--from", "yesterday-ish"], 2, /--from/u],
      [["journal", "find", "--field", "novalue"], 2, /NAME=VALUE/u],
      [["call", "person.request.v1", "--as", "x/y", "--data", "/no/such/file"], 2, /cannot read --data/u],
      [["trace", "never-was"], 1, /never-was/u],
      [["system", "cert", "no/body", "-o", "certs-x"], 1, /no system `no\/body` is registered; there are .*cnas\/pensions/u],
      [["deadletters", "replay", "--reason", "x"], 2, /name the dead letters/u],
      [["deadletters", "show", "nothing"], 1, /not-found/u],
      [["replay", "--route", "person-changed"], 2, /--reason/u],
      [["reset", "--yes"], 1, /runs on .*: stop it first/u],
    ];
    for (const [args, exit, text] of cases) {
      it(`mbus ${args.join(" ")} exits ${exit} and says why on stderr`, async () => {
        const { code, out, err } = await room.site.mbus(...args);
        expect([code, out]).toEqual([exit, ""]);
        expect(err).toMatch(text);
      });
    }
  });

  describe("the administrators' addresses", () => {
    const api = (path: string, init: RequestInit = {}) => fetch(`${room.bus.http}/api/v1${path}`, init);

    it("are closed without the token and with a wrong one, as problem+json", async () => {
      for (const authorization of [undefined, "Bearer wrong", `Bearer ${"0".repeat(64)}`, "Basic YTpi"]) {
        const response = await api("/status", authorization === undefined ? {} : { headers: { authorization } });
        expect(response.status).toBe(401);
        expect(response.headers.get("content-type")).toContain("application/problem+json");
        expect(await response.json()).toMatchObject({ status: 401, title: "admin-denied", instance: "/api/v1/status" });
      }
    });

    it("answer 404 and 400 as problems that say what to do", async () => {
      const authorization = `Bearer ${readFileSync(join(room.site.dataDir, "admin.token"), "utf8").trim()}`;
      const missing = await api("/nothing", { headers: { authorization } });
      expect([missing.status, await missing.json()]).toEqual([
        404,
        expect.objectContaining({ detail: expect.stringContaining("openapi.json") }),
      ]);
      const bad = await api("/replays", { method: "POST", headers: { authorization, "content-type": "application/json" }, body: "[1" });
      expect([bad.status, await bad.json()]).toEqual([400, expect.objectContaining({ title: "json-malformed" })]);
      expect(statSync(join(room.site.dataDir, "admin.token")).mode & 0o077).toBe(0);
    });

    it("describe themselves in OpenAPI without a token", async () => {
      const response = await api("/openapi.json");
      const document = (await response.json()) as { openapi: string; paths: Row };
      expect(document.openapi).toMatch(/^3\./u);
      expect(JSON.stringify(Object.keys(document.paths))).toContain("/dead-letters/{id}");
    });
  });

  describe("certificates", () => {
    const file = (name: string): string => join(room.site.root, "certs", name);
    const openssl = (...args: string[]): string => execFileSync("openssl", args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });

    beforeAll(async () => {
      await jsonOf(room, "system", "cert", "primaria/registry", "-o", join(room.site.root, "certs"));
    });

    it("are issued so that openssl verifies them, with the key closed to others", () => {
      expect(openssl("verify", "-CAfile", file("ca.pem"), file("cert.pem"))).toContain("OK");
      expect(statSync(file("key.pem")).mode & 0o077).toBe(0);
      expect(openssl("x509", "-in", file("cert.pem"), "-noout", "-pubkey")).toBe(openssl("pkey", "-in", file("key.pem"), "-pubout"));
    });

    it("name the caller: a person comes through without X-System", async () => {
      const { status, body } = await overTls(room, { cert: readFileSync(file("cert.pem")), key: readFileSync(file("key.pem")) });
      expect([status, body]).toEqual([200, expect.stringContaining(room.person)]);
    });

    it("are needed: without one nothing comes, and X-System counts for nothing over TLS", async () => {
      for (const header of [undefined, "primaria/registry"]) {
        const answer = await overTls(room, header === undefined ? {} : { header }).catch((error: Error) => ({
          status: 0,
          body: error.message,
        }));
        expect([0, 401, 403]).toContain(answer.status);
        expect(answer.body).not.toContain("familyName");
      }
    });

    it("of a foreign authority are refused, even with the right name in them", async () => {
      const subject = openssl("x509", "-in", file("cert.pem"), "-noout", "-subject", "-nameopt", "compat")
        .replace(/^subject=\s*/u, "")
        .trim();
      openssl(
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "1",
        "-keyout",
        file("foreign.key"),
        "-out",
        file("foreign.pem"),
        "-subj",
        subject.startsWith("/") ? subject : `/${subject.replaceAll(", ", "/")}`,
      );
      const foreign = { cert: readFileSync(file("foreign.pem")), key: readFileSync(file("foreign.key")) };
      const answer = await overTls(room, foreign).catch((error: Error) => ({ status: 0, body: error.message }));
      expect([0, 401, 403]).toContain(answer.status);
      expect(answer.body).not.toContain("familyName");
    });
  });
});

type Answer = Readonly<{ status: number; body: string }>;

function overTls({ site, bus, person }: Room, options: Readonly<{ cert?: Buffer; key?: Buffer; header?: string }>): Promise<Answer> {
  const { header, ...pair } = options;
  const { hostname, port } = new URL(bus.https);
  const headers = {
    "content-type": "application/json",
    CallingUser: "2004100010095",
    CallingEntity: "1007601008122",
    CallBasis: "Law 436/2006 art. 29",
    CallReason: "certificate",
    ...(header === undefined ? undefined : { "X-System": header }),
  };
  const ca = readFileSync(join(site.root, "certs/ca.pem"));
  return new Promise((resolve, reject) => {
    const sent = request(
      { hostname, port, path: "/mconnect/rest/person.request.v1", method: "POST", headers, ca, servername: "localhost", ...pair },
      (response) => {
        let body = "";
        response.on("data", (chunk: Buffer) => (body += chunk.toString()));
        response.on("end", () => resolve({ status: response.statusCode ?? 0, body }));
      },
    );
    sent.on("error", reject);
    sent.end(JSON.stringify({ idnp: person }));
  });
}
