import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { adapters } from "#adapters/registry.ts";
import { AUTHORITY, createWorkshop, RSA, type Workshop } from "#test/harness/certificates.ts";
import { filesFrom } from "#test/files-of.ts";
import { compileRoutes } from "../compile.ts";
import { formatFinding, type Files } from "../findings.ts";
import { lintFiles } from "./lint.ts";

const OPENSSL = spawnSync("openssl", ["version"]).status === 0;
const system = (id: string, more: string): string =>
  `bus: system/v1\nid: ${id}\ntitle: T\ninstitution: { idno: "1004600030235", name: N }\n${more}\n`;
const lint = (texts: Readonly<Record<string, string>>, bytes: Readonly<Record<string, Uint8Array>> = {}) => {
  const paths = [...Object.keys(texts), ...Object.keys(bytes)].toSorted();
  const files: Files = { paths, text: (path) => texts[path], bytes: (path) => bytes[path] };
  const { findings, documents } = lintFiles(files, adapters, {});
  return { files, documents, lines: findings.map(formatFinding) };
};

describe("what a system says of its identity", () => {
  it("is filled in where it says nothing", () => {
    const { documents, lines } = lint({ "routes/s.yaml": system("a/b", "") });
    expect(lines).toEqual([]);
    expect(documents.systems.get("a/b")).toMatchObject({
      addresses: [],
      certificates: [],
      settings: {},
      actsFor: [],
      signatures: { required: false, rsaSha1: false, covers: "message" },
    });
  });

  it("is taken as it stands: settings for services, institutions it acts for, signatures", () => {
    const more = `settings: { mpower: { AllowedEndpoints: ["\${x}"], ViewAllAuthorizations: true } }\nactsFor: ["1002600024700"]\nsignatures: { required: true }`;
    const { documents, lines } = lint({ "routes/s.yaml": system("a/b", more) });
    expect(lines).toEqual([]);
    expect(documents.systems.get("a/b")).toMatchObject({
      settings: { mpower: { AllowedEndpoints: ["${x}"], ViewAllAuthorizations: true } },
      actsFor: ["1002600024700"],
      signatures: { required: true, rsaSha1: false, covers: "message" },
    });
  });

  it.each([
    ['guid: "12"', "routes/s.yaml:5:7  error  bad-form  `guid`: "],
    ['actsFor: ["12"]', "routes/s.yaml:5:11  error  bad-form  "],
    ["signatures: { require: true }", "routes/s.yaml:5:15  error  unknown-field  there is no field `require`; did you mean `required`?"],
    ["certificates: [./no.cer]", "routes/s.yaml:5:16  error  file-missing  `certificates`: there is no file routes/no.cer"],
    ["settings: { mpower: 1 }", "routes/s.yaml:5:21  error  wrong-type  `mpower` takes a block of keys"],
  ])("is refused at its place: %s", (more, line) => {
    const { lines } = lint({ "routes/s.yaml": system("a/b", more) });
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain(line.split("  ").at(-1));
    expect(lines[0]?.split("  ")[0]).toBe(line.split("  ")[0]);
  });

  it("has a GUID that no other system has, given or made from the id", () => {
    const guid = 'guid: "3fa85f64-5717-4562-b3fc-2c963f66afa6"';
    const { lines, documents } = lint({ "routes/s.yaml": `${system("a/b", guid)}---\n${system("a/c", guid)}` });
    expect(lines).toEqual([
      "routes/s.yaml:11:7  error  guid-twice  the GUID 3fa85f64-5717-4562-b3fc-2c963f66afa6 is that of `a/b` (routes/s.yaml:5); give each system its own, or leave it out",
    ]);
    expect([...documents.systems.keys()]).toEqual(["a/b", "a/c"]);
  });
});

describe.skipIf(!OPENSSL)("certificates of systems", () => {
  let shop: Workshop;
  let pem: string;
  let der: Buffer;
  beforeAll(() => {
    shop = createWorkshop();
    pem = shop.make("one", { subject: "/CN=one" }).cert;
    shop.openssl("x509", "-in", shop.path("one.pem"), "-outform", "DER", "-out", shop.path("one.cer"));
    der = readFileSync(shop.path("one.cer"));
  });
  afterAll(() => shop.close());

  it("are read from PEM and from DER beside the file that names them", async () => {
    const files = lint({ "routes/s.yaml": system("a/b", "certificates: [./keys/one.cer]") }, { "routes/keys/one.cer": der });
    expect(files.lines).toEqual([]);
    const text = lint({ "routes/s.yaml": system("a/b", "certificates: [./one.pem]"), "routes/one.pem": pem });
    expect(text.lines).toEqual([]);
    for (const { documents, files: all } of [files, text]) {
      const parts = { files: all, schemaIds: () => 1, lookup: () => undefined, xmlToJson: () => ({}) } as unknown as Parameters<
        typeof compileRoutes
      >[1];
      const { set } = await compileRoutes(documents, parts);
      expect(set.systems.get("a/b")?.certificates.map(({ subject }) => subject)).toEqual(["CN=one"]);
    }
  });

  it("stand for one system: the second that has one is told where the first stands, and both systems stay", () => {
    const { lines, documents } = lint({
      "routes/s.yaml": `${system("a/b", "certificates:\n  - ./one.pem")}---\n${system("a/c", "certificates: [./copy.pem]")}`,
      "routes/one.pem": pem,
      "routes/copy.pem": `Bag\n${pem}`,
    });
    expect(lines).toEqual([
      "routes/s.yaml:12:16  error  certificate-twice  routes/copy.pem is the certificate that stands already at routes/s.yaml:6 for `a/b`; a certificate stands for one system; take it away at one of the two",
    ]);
    expect([...documents.systems.keys()]).toEqual(["a/b", "a/c"]);
  });

  it.each<[string, () => string, RegExp]>([
    ["an authority's", () => shop.make("ca", { subject: "/CN=ca", extensions: AUTHORITY }).cert, /error {2}certificate-unfit {2}.*CA:TRUE/],
    ["with a weak key", () => shop.make("weak", { subject: "/CN=w", key: RSA(1024) }).cert, /error {2}certificate-unfit {2}.*1024 bits/],
    ["a private key", () => readFileSync(shop.path("one.key"), "utf8"), /error {2}certificate-unreadable {2}.*private key/],
    ["an ended one", () => shop.make("old", { subject: "/CN=o", from: -9, until: -3 }).cert, /warn {2}certificate-dates {2}.*ended on/],
  ])("are told apart from %s, at their place, and the system stays", (_, content, line) => {
    const { lines, documents } = lint({ "routes/s.yaml": system("a/b", "certificates: [./x.pem]"), "routes/x.pem": content() });
    expect(lines).toEqual([expect.stringMatching(line) as string]);
    expect(lines[0]).toMatch(/^routes\/s.yaml:5:16 /);
    expect(documents.systems.has("a/b")).toBe(true);
  });

  it("are looked for in memory as on disk: files without bytes say that they are empty", () => {
    const files = filesFrom({ "routes/s.yaml": system("a/b", "certificates: [./e.pem]"), "routes/e.pem": "" });
    expect(lintFiles(files, adapters, {}).findings.map(formatFinding)).toEqual([
      "routes/s.yaml:5:16  error  certificate-unreadable  routes/e.pem: the file is empty",
    ]);
  });
});
