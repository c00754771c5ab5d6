/** What lies in a drop folder in practice: odd names, files in the making, packed files that lie, spreadsheets of every dialect. */
import { appendFile, readdir, truncate } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compileType } from "#bus/contract/avro.ts";
import { csvSplitter, type CsvOptions } from "#bus/contract/csv.ts";
import { openDropFolder } from "#test/harness/drop-folder.ts";
import { globOf } from "#bus/edge/drop/look.ts";

const outcomes = (report: { files: readonly { name: string; outcome: string }[] }): Record<string, string> =>
  Object.fromEntries(report.files.map(({ name, outcome }) => [name, outcome]));

describe("a file's name", () => {
  it.each([
    "with spaces  in it.txt",
    "mașini și șoferi.txt",
    "𝄞.txt",
    "quote'\"`.txt",
    "semi;colon&and|pipe.txt",
    "$(touch x).txt",
    "--help",
    "%2e%2e%2f.txt",
    "a\\b.txt",
    "line\nbreak.txt",
    "tab\t.txt",
    "a..b",
    "e\u0301.txt",
    `${"x".repeat(196)}.txt`,
    `${"ș".repeat(98)}.txt`,
  ])("%j is one like any other: taken, and moved under the same name", async (name) => {
    await using folder = await openDropFolder();
    await folder.drop(name, "one\ntwo\n");
    expect(outcomes(await folder.run())).toEqual({ [name]: "done" });
    expect([await folder.names("done"), await folder.names()]).toEqual([[name], []]);
    expect(folder.seen.map((one) => one.headers["file-name"])).toEqual([name, name]);
    expect(folder.seen[0]?.id).toMatch(/^[0-9a-f]{64}$/u);
  });

  it("that is not UTF-8 is told, not passed over for ever", async () => {
    await using folder = await openDropFolder();
    await folder.drop(Buffer.from([0x6d, 0x61, 0xba, 0x69, 0x6e, 0x69]), "one\n");
    await folder.drop("good", "two\n");
    const report = await folder.run();
    expect(report.files.map(({ outcome, text }) => [outcome, text])).toEqual([
      ["refused", "has a name that is not UTF-8; rename it"],
      ["done", undefined],
    ]);
    expect(await folder.names("done")).toEqual(["good"]);
  });

  it("that really holds U+FFFD is one like any other", async () => {
    await using folder = await openDropFolder();
    await folder.drop("a\ufffdb", "one\n");
    expect(outcomes(await folder.run())).toEqual({ "a\ufffdb": "done" });
  });

  it("too long to be moved aside is told before a record of it is taken", async () => {
    await using folder = await openDropFolder();
    await folder.drop("x".repeat(230), "bad\n");
    const report = await folder.run();
    expect(report.files[0]).toMatchObject({ outcome: "refused", text: expect.stringContaining("more than 200 bytes") });
    expect(folder.seen).toEqual([]);
  });

  it("of the longest kind can still be listed with its bad records and moved twice", async () => {
    await using folder = await openDropFolder();
    const name = "x".repeat(200);
    for (const text of ["bad\nok\n", "bad\nmore\n"]) {
      await folder.drop(name, text);
      expect(outcomes(await folder.run())).toEqual({ [name]: "done" });
    }
    expect(await folder.names("done")).toEqual([name, `${name}.1`]);
    expect(await folder.text("failed", `${name}.errors.jsonl`)).toContain("csv-violation");
  });

  it("tells records of two files apart, even where name, place and content could be mistaken for one another", async () => {
    await using folder = await openDropFolder();
    for (const name of ["a", "a\n1", "1\na"]) await folder.drop(name, "same\nsame\n");
    await folder.run();
    expect(new Set(folder.seen.map((one) => one.id)).size).toBe(6);
  });
});

describe("a pattern of names", () => {
  it.each([
    ["*.csv", "a.csv", true],
    ["*.csv", "a.csv.gz", false],
    ["*.csv", ".csv", true],
    ["v-??.xml", "v-01.xml", true],
    ["v-??.xml", "v-1.xml", false],
    ["a.b", "axb", false],
    ["[a]+(b|c)$", "[a]+(b|c)$", true],
    ["[a]+(b|c)$", "ab", false],
    ["*", "line\nbreak", true],
    ["**a**", "xxaxx", true],
    ["a*b*c", "aXbYc", true],
    ["a*b*c", "acb", false],
    ["\\d", "5", false],
  ])("%j on %j: %s", (match, name, fits) => {
    expect(globOf(match).test(name)).toBe(fits);
  });
  it("fits exactly where a regular expression of it does", () => {
    const letters = fc.constantFrom("a", "b", ".", "𝄞");
    const match = fc.array(fc.oneof(letters, fc.constantFrom("*", "?")), { minLength: 1, maxLength: 6 }).map((parts) => parts.join(""));
    fc.assert(
      fc.property(match, fc.array(letters, { maxLength: 7 }), (pattern, name) => {
        const source = pattern.replace(/[.]/gu, "\\.").replace(/\*/gu, "[^]*").replace(/\?/gu, "[^]");
        const wanted = new RegExp(`^${source}$`, "u").test(name.join(""));
        expect([pattern, name, globOf(pattern).test(name.join(""))]).toEqual([pattern, name, wanted]);
      }),
      { numRuns: 1_000 },
    );
  });
  it("with many stars ends on a name that nearly fits", () => {
    expect(globOf(`${"*a".repeat(20)}*b`).test("a".repeat(200))).toBe(false);
  });
});

describe("a file in the making", () => {
  it("stops no finished file before it", async () => {
    await using folder = await openDropFolder();
    await folder.drop("1-ready", "one\n");
    await folder.drop("2-growing", "two\n");
    await folder.drop("3-ready", "three\n");
    folder.asleep.act = () => appendFile(join(folder.directory, "2-growing"), "more\n");
    const report = await folder.run();
    expect(outcomes(report)).toEqual({ "1-ready": "done" });
    expect(await folder.names()).toEqual(["2-growing", "3-ready"]);
  });

  it("that comes to rest is taken, and those behind it after it", async () => {
    await using folder = await openDropFolder();
    await folder.drop("1-growing", "a\n");
    await folder.drop("2-ready", "z\n");
    folder.asleep.act = async () => {
      if (folder.slept.length < 4) await appendFile(join(folder.directory, "1-growing"), "b\n");
    };
    expect(outcomes(await folder.run())).toEqual({ "1-growing": "done", "2-ready": "done" });
    expect(folder.values.map((value) => value["text"])).toEqual(["a", "b", "b", "b", "z"]);
    expect(folder.slept).toEqual([5000, 5000, 5000, 5000]);
  });

  it("that shrinks counts as changed too", async () => {
    await using folder = await openDropFolder();
    await folder.drop("a", "one\ntwo\n");
    folder.asleep.act = async () => {
      if (folder.slept.length === 1) await truncate(join(folder.directory, "a"), 4);
    };
    await folder.run();
    expect([folder.values.map((value) => value["text"]), folder.slept]).toEqual([["one"], [5000, 5000]]);
  });

  it("in a hidden name is left alone until it is renamed", async () => {
    await using folder = await openDropFolder();
    await folder.drop(".part", "one\n");
    expect((await folder.run()).files).toEqual([]);
    expect(await folder.names()).toEqual([".part"]);
  });

  it("of no bytes is done with no record", async () => {
    await using folder = await openDropFolder();
    await folder.drop("empty", "");
    expect((await folder.run()).files).toEqual([{ name: "empty", outcome: "done", taken: 0, known: 0, failed: 0 }]);
  });
});

describe("a packed file", () => {
  const packed = gzipSync("one\ntwo\n");
  it("in several members is read as one", async () => {
    await using folder = await openDropFolder();
    await folder.drop("a.gz", Buffer.concat([packed, gzipSync("three\n")]));
    expect(outcomes(await folder.run())).toEqual({ "a.gz": "done" });
    expect(folder.values.map((value) => value["text"])).toEqual(["one", "two", "three"]);
  });

  it.each<[string, Buffer]>([
    ["cut off at every place", packed.subarray(0, packed.length - 9)],
    ["without its trailer", packed.subarray(0, -8)],
    ["with another checksum", Buffer.concat([packed.subarray(0, -8), Buffer.alloc(8)])],
    ["that is none", Buffer.from("one\ntwo\n")],
    ["of no bytes but its head", packed.subarray(0, 10)],
  ])("%s fails as a whole, with the reason beside it", async (_, bytes) => {
    await using folder = await openDropFolder();
    await folder.drop("a.gz", bytes);
    expect(outcomes(await folder.run())).toEqual({ "a.gz": "failed" });
    expect(JSON.parse(await folder.text("failed", "a.gz.errors.jsonl"))).toMatchObject({
      code: "media-type",
      text: expect.stringContaining("not whole gzip"),
    });
  });

  it("that unpacks to a hundred times its size and more is given up while it unpacks", async () => {
    await using folder = await openDropFolder();
    await folder.drop("bomb.gz", gzipSync(Buffer.alloc(60_000_000, 0x61), { level: 9 }));
    expect(outcomes(await folder.run())).toEqual({ "bomb.gz": "failed" });
    expect(await folder.text("failed", "bomb.gz.errors.jsonl")).toContain("message-too-large");
    expect(folder.seen).toEqual([]);
  });

  it("inside a packed file is what it is: one bad record, not unpacked twice", async () => {
    await using folder = await openDropFolder({ unpack: "gzip" });
    await folder.drop("a.txt", gzipSync(gzipSync("one\n")));
    await folder.run();
    expect(folder.values.map((value) => value["text"])).not.toContain("one");
  });

  it("is read as it stands where the route says so", async () => {
    await using folder = await openDropFolder({ unpack: "none" });
    await folder.drop("plain.gz", "one\n");
    expect(outcomes(await folder.run())).toEqual({ "plain.gz": "done" });
  });
});

describe("a spreadsheet", () => {
  const type = compileType({
    id: "transport.vehicle.v1",
    schemaId: 1,
    schemaText: JSON.stringify({
      type: "record",
      name: "Vehicle",
      fields: [
        { name: "plate", type: "string" },
        { name: "owner", type: ["null", "string"], default: null },
        { name: "year", type: "int" },
      ],
    }),
  });
  const csv = (options: Partial<CsvOptions> = {}) => csvSplitter(type, { header: true, ...options });
  const expected = [
    { plate: "ABC 123", owner: 'Ion "Ș" Rusu, SRL', year: 1999 },
    { plate: "DEF;456", owner: null, year: 2020 },
  ];
  it.each<[string, string, Partial<CsvOptions>]>([
    ["RFC 4180 with CRLF", 'plate,owner,year\r\nABC 123,"Ion ""Ș"" Rusu, SRL",1999\r\nDEF;456,,2020\r\n', {}],
    ["Unix lines without a last line end", 'plate,owner,year\nABC 123,"Ion ""Ș"" Rusu, SRL",1999\nDEF;456,,2020', {}],
    ["a byte order mark", '\ufeffplate,owner,year\nABC 123,"Ion ""Ș"" Rusu, SRL",1999\nDEF;456,,2020\n', {}],
    [
      "a byte order mark and a quoted head",
      '\ufeff"plate","owner","year"\r\n"ABC 123","Ion ""Ș"" Rusu, SRL","1999"\r\n"DEF;456",,"2020"\r\n',
      {},
    ],
    ["semicolons", 'plate;owner;year\nABC 123;"Ion ""Ș"" Rusu, SRL";1999\n"DEF;456";;2020\n', { separator: ";" }],
    ["tabs", 'plate\towner\tyear\nABC 123\t"Ion ""Ș"" Rusu, SRL"\t1999\nDEF;456\t\t2020\n', { separator: "\t" }],
    ["single quotes", "plate,owner,year\nABC 123,'Ion \"Ș\" Rusu, SRL',1999\nDEF;456,,2020\n", { quote: "'" }],
    ["columns in another order", 'year,plate,owner\n1999,ABC 123,"Ion ""Ș"" Rusu, SRL"\n2020,DEF;456,\n', {}],
    ["no head", 'ABC 123,"Ion ""Ș"" Rusu, SRL",1999\nDEF;456,,2020\n', { header: ["plate", "owner", "year"] }],
    ["empty lines between", 'plate,owner,year\n\n\nABC 123,"Ion ""Ș"" Rusu, SRL",1999\n\r\nDEF;456,,2020\n\n', {}],
  ])("with %s gives the same records", async (_, text, options) => {
    await using folder = await openDropFolder({ splitter: csv(options) });
    await folder.drop("v.csv", text);
    expect(outcomes(await folder.run())).toEqual({ "v.csv": "done" });
    expect(folder.values).toEqual(expected);
  });

  it.each<[string, string, string]>([
    ["an unknown column", "plate,colour,year\nA,red,1999\n", "`colour` is no column of transport.vehicle.v1"],
    ["a missing column", "plate,owner\nA,B\n", "`year` is required"],
    ["a column twice", "plate,plate,year\nA,B,1999\n", "stands twice"],
    ["old Macintosh line ends", "plate,owner,year\rA,B,1999\r", "no column"],
    ["a head in UTF-16", Buffer.from("plate,owner,year\n", "utf16le").toString("latin1"), "not"],
  ])("with %s is given up as a whole, and says why", async (_, text, why) => {
    await using folder = await openDropFolder({ splitter: csv() });
    await folder.drop("v.csv", text);
    expect(outcomes(await folder.run())).toEqual({ "v.csv": "failed" });
    expect((JSON.parse(await folder.text("failed", "v.csv.errors.jsonl")) as { text: string }).text).toContain(why);
    expect(folder.seen).toEqual([]);
  });

  it("with bad rows lists each with its line, and takes the others", async () => {
    await using folder = await openDropFolder({ splitter: csv() });
    const rows = ["A,,1999", "B,,no year", "C,,2001,4", 'D,"two\nlines",2002', 'E,"open,2003', "F,,2004"];
    await folder.drop("v.csv", `plate,owner,year\n${rows.join("\n")}\n`);
    await folder.run();
    expect(folder.values.map((value) => value["plate"])).toEqual(["A", "D"]);
    const listed = (await folder.text("failed", "v.csv.errors.jsonl"))
      .trim()
      .split("\n")
      .map((one) => JSON.parse(one) as { line: number; code: string });
    expect(listed.map(({ line }) => line).sort((one, two) => one - two)).toEqual([3, 4, 7]);
    expect(new Set(listed.map(({ code }) => code))).toEqual(new Set(["csv-violation"]));
  });

  it("of a hundred thousand rows goes through without being held in memory", async () => {
    let peak = 0;
    let taken = 0;
    const splitter = csv();
    await using folder = await openDropFolder({
      splitter: {
        async *split(chunks) {
          for await (const piece of splitter.split(chunks)) {
            if (++taken % 5_000 === 0) peak = Math.max(peak, process.memoryUsage().arrayBuffers);
            piece.read();
            // The last one only: what is measured is the reading.
            if (taken === 100_000) yield piece;
          }
        },
      },
    });
    const row = `${"x".repeat(400)},${"y".repeat(400)},2000\n`;
    await folder.drop("big.csv", `plate,owner,year\n${row.repeat(100_000)}`);
    const before = process.memoryUsage().arrayBuffers;
    expect(outcomes(await folder.run())).toEqual({ "big.csv": "done" });
    expect(taken).toBe(100_000);
    expect(peak - before).toBeLessThan(60_000_000);
    expect(await readdir(join(folder.directory, "failed"))).toEqual([]);
  });
});
