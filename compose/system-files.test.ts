/** Systems and certificates that commands write into the administrator's files: what is written lints, what would not lint is not written. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { AUTHORITY, createWorkshop, type Workshop } from "#test/harness/certificates.ts";
import { readFiles } from "./files.ts";
import { addSystem, importCertificate, type NewSystem } from "./system-files.ts";

const OPENSSL = spawnSync("openssl", ["version"]).status === 0;
const FILE = "routes/systems.yaml";
const FIRST = `# Who may call.
bus: system/v1
id: tax/erp # the first
title: ERP
institution: { idno: "1006601001182", name: "State Tax Service" }
`;
const NEW: NewSystem = {
  id: "tax/portal",
  idno: "1006601001182",
  title: 'A "portal": new',
  institution: undefined,
  certificate: undefined,
  file: FILE,
};
let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "system-files-"));
  mkdirSync(join(root, "routes"));
  writeFileSync(join(root, FILE), FIRST);
});
afterEach(() => rmSync(root, { recursive: true }));
const read = (file = FILE): string => readFileSync(join(root, file), "utf8");
const at = (): { root: string; env: Record<string, string> } => ({ root, env: {} });
const systems = async () => (await readFiles([root], {})).documents.systems;

describe("a new system", () => {
  it("stands at the end of its file, which stays as it was, with its institution's name as it is known", async () => {
    expect(await addSystem(at(), NEW)).toEqual({ file: FILE });
    expect(read().startsWith(FIRST)).toBe(true);
    expect((await systems()).get("tax/portal")).toMatchObject({
      title: 'A "portal": new',
      institution: { idno: "1006601001182", name: "State Tax Service" },
    });
  });

  it("may stand in a file of its own", async () => {
    const file = "routes/bns/systems.yaml";
    expect(await addSystem(at(), { ...NEW, id: "bns/lake", idno: "1006601000233", institution: "Statistics", file })).toEqual({ file });
    expect(read(file).startsWith("bus: system/v1\n")).toBe(true);
    expect((await systems()).has("bns/lake")).toBe(true);
  });

  it.each<[string, Partial<NewSystem>, RegExp]>([
    ["that is registered", { id: "tax/erp" }, /registered already/],
    ["of an institution nobody knows", { idno: "1006601000233" }, /--institution/],
    ["without a proper id", { id: "Portal" }, /nothing was written.*`id`/],
    ["with a wrong IDNO", { idno: "12", institution: "X" }, /nothing was written.*13 digits/],
    ["outside of the routes", { file: "../x.yaml" }, /below routes/],
    ["with a certificate that is not there", { certificate: "/nowhere.cer" }, /cannot be read/],
  ])("%s is not written", async (_, wrong, why) => {
    await expect(addSystem(at(), { ...NEW, ...wrong })).rejects.toThrow(why);
    expect(read()).toBe(FIRST);
    expect(readdirSync(join(root, "routes"))).toEqual(["systems.yaml"]);
  });
});

describe.skipIf(!OPENSSL)("a certificate from a file", () => {
  let shop: Workshop;
  const der = (name: string): string => {
    shop.make(name, { subject: `/CN=${name}` });
    shop.openssl("x509", "-in", shop.path(`${name}.pem`), "-outform", "DER", "-out", shop.path(`${name}.cer`));
    return shop.path(`${name}.cer`);
  };
  beforeEach(() => void (shop = createWorkshop()));
  afterEach(() => shop.close());

  it("comes with a new system, as PEM beside its file", async () => {
    const { certificate } = await addSystem(at(), { ...NEW, certificate: der("one") });
    expect(certificate).toMatch(/^routes\/keys\/tax-portal-[0-9a-f]{12}\.pem$/);
    expect(read(certificate)).toContain("BEGIN CERTIFICATE");
    expect((await systems()).get("tax/portal")?.certificates).toEqual([certificate]);
  });

  it("is added to a system that has none, and the next one beside it, and nothing else changes", async () => {
    const first = await importCertificate(at(), "tax/erp", der("one"));
    const second = await importCertificate(at(), "tax/erp", der("two"));
    expect((await systems()).get("tax/erp")?.certificates).toEqual([first.certificate, second.certificate]);
    expect(
      read()
        .split("\n")
        .filter((line) => !line.startsWith("certificates:"))
        .join("\n"),
    ).toBe(FIRST);
  });

  it("is named, not written, where the list has one line each", async () => {
    const listed = FIRST.replace("title:", `certificates:\n  - ./a.pem\ntitle:`);
    writeFileSync(join(root, "routes/a.pem"), shop.make("a", { subject: "/CN=a" }).cert);
    writeFileSync(join(root, FILE), listed);
    await expect(importCertificate(at(), "tax/erp", der("one"))).rejects.toThrow(/yourself: `- \.\/keys\/tax-erp-.*systems\.yaml:5/);
    expect(read()).toBe(listed);
  });

  it("is not taken twice, nor for two systems, nor an authority's; everything stays as it was", async () => {
    const one = der("one");
    await importCertificate(at(), "tax/erp", one);
    const before = read();
    await expect(importCertificate(at(), "tax/erp", one)).rejects.toThrow(/certificate-twice/);
    await expect(addSystem(at(), { ...NEW, certificate: one })).rejects.toThrow(/certificate-twice/);
    const ca = shop.make("ca", { subject: "/CN=ca", extensions: AUTHORITY }).certFile;
    await expect(importCertificate(at(), "tax/erp", ca)).rejects.toThrow(/CA:TRUE/);
    await expect(importCertificate(at(), "no/system", one)).rejects.toThrow(/no system `no\/system` is registered/);
    expect(read()).toBe(before);
    expect(readdirSync(join(root, "routes/keys"))).toHaveLength(1);
    expect(existsSync(join(root, "routes/keys"))).toBe(true);
  });
});
