/** The small parts of the composition: token, secrets, addresses, clock, version. */
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { asBusError } from "#bus/errors.ts";
import { branchOf, contractOf, routeOf } from "#test/harness/route.ts";
import { sourceOf } from "#test/harness/bus-world.ts";
import { pathOf } from "./addresses.ts";
import { systemClock } from "./clock.ts";
import { secrets } from "./secrets.ts";
import { adminToken } from "./token.ts";
import { version } from "./version.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "mbus-parts-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const fault = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    return `${asBusError(error).code}: ${asBusError(error).message}`;
  }
  return "nothing was thrown";
};

describe("the administration token", () => {
  it("is made once, of 32 random bytes, readable by its owner only", () => {
    const data = join(folder, "data");
    const token = adminToken(data);
    expect(Buffer.from(token, "base64url")).toHaveLength(32);
    expect(adminToken(data)).toBe(token);
    expect(readFileSync(join(data, "admin.token"), "utf8")).toBe(`${token}\n`);
    expect(statSync(join(data, "admin.token")).mode & 0o777).toBe(0o600);
    expect(statSync(data).mode & 0o777).toBe(0o700);
  });

  it("of two folders are two", () => {
    expect(adminToken(join(folder, "a"))).not.toBe(adminToken(join(folder, "b")));
  });

  it("may be given by the administrator, with or without a line break", () => {
    writeFileSync(join(folder, "admin.token"), "given-by-hand\r\n");
    expect(adminToken(folder)).toBe("given-by-hand");
  });

  it.each(["", "\n", "  \n"])("is never empty: a file of %j is what a crash left, and a new one is made", (text) => {
    writeFileSync(join(folder, "admin.token"), text, { mode: 0o600 });
    const token = adminToken(folder);
    expect(Buffer.from(token, "base64url")).toHaveLength(32);
    expect(adminToken(folder)).toBe(token);
  });

  it("that cannot be read stops the start instead of being replaced", () => {
    const file = join(folder, "admin.token");
    writeFileSync(file, "secret\n", { mode: 0o600 });
    chmodSync(file, 0o000);
    // the superuser reads everything; anybody else is stopped
    const got = fault(() => adminToken(folder));
    chmodSync(file, 0o600);
    expect(["nothing was thrown", expect.stringContaining("EACCES")]).toContainEqual(got);
    expect(readFileSync(file, "utf8")).toBe("secret\n");
  });
});

describe("secrets", () => {
  it("come from the environment under a name of capital letters, digits and lines", () => {
    const secret = secrets({ MBUS_SECRET_BNS_API_KEY: "one", MBUS_SECRET_X2: "two" });
    expect([secret("bns.api-key"), secret("bns_api_key"), secret("x2")]).toEqual(["one", "one", "two"]);
  });

  it("come from a file, without the line break at its end", () => {
    const file = join(folder, "secret");
    writeFileSync(file, "from a file\n");
    expect(secrets({ MBUS_SECRET_A_FILE: file })("a")).toBe("from a file");
  });

  it("of the environment go before those of files", () => {
    expect(secrets({ MBUS_SECRET_A: "here", MBUS_SECRET_A_FILE: join(folder, "none") })("a")).toBe("here");
  });

  it("that are not set name both ways to set them", () => {
    expect(fault(() => secrets({})("bns.key"))).toBe(
      "configuration: secret `bns.key` is not set: give MBUS_SECRET_BNS_KEY, or MBUS_SECRET_BNS_KEY_FILE with the path of a file that holds it",
    );
  });

  it("whose file is missing or a folder name the variable that names it", () => {
    for (const file of [join(folder, "none"), folder]) {
      const text = fault(() => secrets({ MBUS_SECRET_A_FILE: file })("a"));
      expect(text).toMatch(/^configuration: secret `a` cannot be read: MBUS_SECRET_A_FILE names a file, but E(NOENT|ISDIR)/u);
    }
  });

  it("are read anew each time, so that a changed file counts", () => {
    const file = join(folder, "secret");
    const secret = secrets({ MBUS_SECRET_A_FILE: file });
    writeFileSync(file, "old");
    expect(secret("a")).toBe("old");
    writeFileSync(file, "new");
    expect(secret("a")).toBe("new");
  });
});

describe("addresses of faces", () => {
  const source = (kind: string, options: Record<string, unknown> = {}, system?: string) => sourceOf({ system, binding: { kind, options } });
  const query = routeOf({ contract: contractOf("query", "person.request.v1"), branches: [branchOf({ system: "rsp/population" })] });
  const event = routeOf({ contract: contractOf("event", "person.changed.v1") });

  it.each([
    ["JSON, by contract", query, source("http"), "/mconnect/rest/person.request.v1"],
    ["SOAP of a query, in its provider's name", query, source("soap"), "/mconnect/soap/rsp/population/Test"],
    ["SOAP of an event, in its publisher's name", event, source("soap", {}, "rsp/population"), "/mconnect/soap/rsp/population/Test"],
    ["SOAP of an event of anybody", event, source("soap"), "/mconnect/soap/bus/Test"],
    ["SOAP of a named service", query, source("soap", { service: "PersonRegistry" }), "/mconnect/soap/rsp/population/PersonRegistry"],
    ["a path that the route gives", query, source("soap", { path: "/legacy/persons" }), "/legacy/persons"],
    ["a path that the route gives, over JSON", query, source("http", { path: "/v1/persons" }), "/v1/persons"],
    ["files", event, source("file"), undefined],
    ["topics", event, source("topic", { name: "x" }), undefined],
  ] as const)("are fixed for %s", (_, route, from, path) => {
    expect(pathOf(route, from)).toBe(path);
  });

  it("of a query without a provider are the bus's own", () => {
    expect(pathOf({ ...query, branches: [] }, source("soap"))).toBe("/mconnect/soap/bus/Test");
  });
});

describe("the wall clock", () => {
  it("tells the platform's time", () => {
    const before = Date.now();
    expect(systemClock.now()).toBeGreaterThanOrEqual(before);
  });

  it("sleeps, and wakes at once when it is told to, or was told before", async () => {
    await systemClock.sleep(1);
    const stop = new AbortController();
    const slept = systemClock.sleep(3_600_000, stop.signal);
    stop.abort();
    await expect(slept).rejects.toMatchObject({ name: "AbortError" });
    await expect(systemClock.sleep(3_600_000, stop.signal)).rejects.toMatchObject({ name: "AbortError" });
  });
});

it("the version is the package's", () => {
  const { version: own } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as { version: string };
  expect(version).toBe(own);
  expect(version).toMatch(/^\d+\.\d+\.\d+/u);
});
