import { mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { openKeys } from "./ca.ts";
import { readIssued } from "./issued.ts";

let dataDir: string;
beforeEach(async () => void (dataDir = await mkdtemp(join(tmpdir(), "issued-"))));
afterEach(() => rm(dataDir, { recursive: true }));

it("remembers every certificate that it issued, also in the next process", async () => {
  const keys = await openKeys(dataDir);
  expect(await keys.issued()).toEqual([]);
  const pairs = [await keys.issue("tax/erp", "1010600034203"), await keys.issue("tax/erp", "1010600034203")];
  const again = await (await openKeys(dataDir)).issued();
  expect(again.map(({ system, withdrawn }) => ({ system, withdrawn }))).toEqual(pairs.map(() => ({ system: "tax/erp", withdrawn: false })));
  expect(again.map(({ certificate }) => certificate.toString()).toSorted()).toEqual(pairs.map(({ cert }) => cert).toSorted());
});

it("takes one back, for good, and knows none but its own", async () => {
  const keys = await openKeys(dataDir);
  await keys.issue("tax/erp", "1010600034203");
  await keys.issue("bns/lake", "1010600034203");
  const tax = (await keys.issued()).find(({ system }) => system === "tax/erp");
  expect(await keys.withdraw(tax?.fingerprint ?? "")).toBe(true);
  expect(await keys.withdraw(tax?.fingerprint ?? "")).toBe(true);
  expect(await keys.withdraw("0".repeat(64))).toBe(false);
  const after = await (await openKeys(dataDir)).issued();
  expect(after.filter(({ withdrawn }) => withdrawn).map(({ system }) => system)).toEqual(["tax/erp"]);
});

it("keeps its notes from other users, without keys in them", async () => {
  const keys = await openKeys(dataDir);
  await keys.issue("tax/erp", "1010600034203");
  const folder = join(dataDir, "keys", "issued");
  expect((await stat(folder)).mode & 0o777).toBe(0o700);
  const [name = ""] = await readdir(folder);
  expect((await stat(join(folder, name))).mode & 0o777).toBe(0o600);
});

it("tells of a note that cannot be read, and reads the others", async () => {
  const keys = await openKeys(dataDir);
  await keys.issue("tax/erp", "1010600034203");
  await writeFile(join(dataDir, "keys", "issued", `${"0".repeat(64)}.json`), "{");
  await writeFile(join(dataDir, "keys", "issued", "note.txt"), "not ours");
  const faults: string[] = [];
  expect(await readIssued(join(dataDir, "keys"), (_, file) => faults.push(file))).toHaveLength(1);
  expect(faults).toEqual([join(dataDir, "keys", "issued", `${"0".repeat(64)}.json`)]);
});
