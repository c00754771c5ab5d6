/** Files as they change on disk: what is sound is applied as a whole, what is broken leaves its route as it runs and is told. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Bus } from "#bus/bus.ts";
import { BusError } from "#bus/errors.ts";
import type { RouteSet } from "#bus/route/runtime.ts";
import { eventually } from "#test/harness/receiver.ts";
import type { ReadFiles } from "./files.ts";
import { createReloader, type Reloader } from "./reload.ts";
import { createFileRunner } from "./run-files.ts";

const PROJECT = fileURLToPath(new URL("..", import.meta.url));
const ALL = ["benefit-register", "person-changed", "person-lookup", "vehicle-nightly"];
const BROKEN = "routes/rsp/person-lookup.yaml";

let root = "";
let reloader: Reloader | undefined;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "mbus-reload-"));
  for (const folder of ["routes", "contracts"]) cpSync(join(PROJECT, folder), join(root, folder), { recursive: true });
  cpSync(join(PROJECT, "config/development.yaml"), join(root, "config/development.yaml"));
});
afterEach(async () => {
  await reloader?.close();
  rmSync(root, { recursive: true, force: true });
});

const edit = (file: string, change: (text: string) => string): void =>
  writeFileSync(join(root, file), change(readFileSync(join(root, file), "utf8")));

function setup(fails: (set: RouteSet) => readonly Readonly<{ route: string; error: unknown }>[] = () => []) {
  const applied: RouteSet[] = [];
  const logged: string[] = [];
  const note = (level: string) => (_: unknown, text?: string) => void logged.push(`${level} ${text ?? ""}`);
  let ids = 0;
  const texts = new Map<string, number>();
  const bus = {
    apply: (set: RouteSet) => {
      applied.push(set);
      return Promise.resolve(fails(set));
    },
  } as unknown as Bus;
  const log = { info: note("info"), warn: note("warn"), error: note("error") };
  const sound: ReadFiles[] = [];
  const runner = createFileRunner({
    bus,
    log,
    schemas: {
      idOf: (_subject, schema) => {
        const id = texts.get(schema) ?? ++ids;
        texts.set(schema, id);
        return Promise.resolve(id);
      },
      lookup: () => undefined,
      settled: () => Promise.resolve(),
      close: () => Promise.resolve(),
    },
  });
  const made = createReloader({
    runner,
    log,
    sound: (read) => {
      sound.push(read);
      return Promise.resolve(undefined);
    },
    root,
    env: {},
    variables: Object.fromEntries(["rsp.url", "cnas.url", "primaria.url", "bns.url"].map((name) => [name, "http://127.0.0.1:9"])),
  });
  reloader = made;
  const routes = (): readonly string[] => [...(applied.at(-1)?.routes.keys() ?? [])].toSorted();
  const revision = (id: string): string | undefined => applied.at(-1)?.routes.get(id)?.revision;
  return { reloader: made, applied, sound, logged, routes, revision };
}

describe("loading", { timeout: 120_000 }, () => {
  it("applies all routes of sound files, and disk and running set agree", async () => {
    const { reloader: own, routes, logged } = setup();
    await own.load();
    expect(routes()).toEqual(ALL);
    expect(own.drift().drift).toBe(false);
    expect(logged).toEqual(["info files applied"]);
  });

  it("gives an unchanged file the same revision, and a changed one another", async () => {
    const { reloader: own, revision } = setup();
    await own.load();
    const [lookup, changed] = [revision("person-lookup"), revision("person-changed")];
    await own.load();
    expect([revision("person-lookup"), revision("person-changed")]).toEqual([lookup, changed]);
    edit(BROKEN, (text) => text.replace(/^title: .*$/mu, "title: Another title"));
    await own.load();
    expect(revision("person-lookup")).not.toBe(lookup);
    expect(revision("person-changed")).toBe(changed);
  });

  it("leaves out a route that was broken from the start, tells why, and runs the others", async () => {
    edit(BROKEN, (text) => `${text}\nfrm: nothing\n`);
    const { reloader: own, routes, logged } = setup();
    await own.load();
    expect(routes()).toEqual(ALL.filter((id) => id !== "person-lookup"));
    const { drift, findings } = own.drift();
    expect(drift).toBe(true);
    expect(findings.some(({ file, severity }) => file.endsWith("person-lookup.yaml") && severity === "error")).toBe(true);
    expect(logged).toContain("error a file of the administrator is wrong; what ran before goes on");
  });

  it("keeps a route as it runs while its file is broken, and takes it up again when it is mended", async () => {
    const { reloader: own, routes, revision } = setup();
    await own.load();
    const [before, text] = [revision("person-lookup"), readFileSync(join(root, BROKEN), "utf8")];
    for (const broken of [`${text}\nfrm: nothing\n`, "bus: route/v1\n  id: [", text.replace(/^contract: .*$/mu, "contract: no.such.v1")]) {
      edit(BROKEN, () => broken);
      await own.load();
      expect(own.drift().drift, broken.slice(-20)).toBe(true);
      expect([routes(), revision("person-lookup")], broken.slice(-20)).toEqual([ALL, before]);
    }
    edit(BROKEN, () => text);
    await own.load();
    expect([own.drift().drift, routes(), revision("person-lookup")]).toEqual([false, ALL, before]);
  });

  it("lets a route go whose file is gone", async () => {
    const { reloader: own, routes } = setup();
    await own.load();
    rmSync(join(root, BROKEN));
    rmSync(join(root, "routes/rsp/tests"), { recursive: true, force: true });
    await own.load();
    expect(routes()).toEqual(ALL.filter((id) => id !== "person-lookup"));
  });

  it("tells of a route that could not start where it is written", async () => {
    const { reloader: own } = setup(() => [{ route: "person-changed", error: new BusError("configuration", "its folder is taken") }]);
    await own.load();
    expect(own.drift()).toMatchObject({ drift: true });
    expect(own.drift().findings.at(-1)).toMatchObject({
      file: expect.stringContaining("person-changed.yaml"),
      severity: "error",
      rule: "start",
      text: "route `person-changed` could not start: its folder is taken",
    });
  });
});

describe("watching", { timeout: 120_000 }, () => {
  it("takes up a change by itself, applies nothing without one, and stops when it is closed", async () => {
    const { reloader: own, applied, revision } = setup();
    await own.load();
    const before = revision("person-lookup");
    own.watch();
    edit(BROKEN, (text) => text.replace(/^title: .*$/mu, "title: Another title"));
    await eventually(
      () => revision("person-lookup") !== before,
      () => "the change was not taken up",
    );
    await own.close();
    const count = applied.length;
    edit(BROKEN, (text) => text.replace(/^title: .*$/mu, "title: A third title"));
    await new Promise((resolve) => setTimeout(resolve, 1500));
    expect(applied).toHaveLength(count);
  });
});
