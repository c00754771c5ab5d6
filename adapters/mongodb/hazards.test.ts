import { describe, expect, it } from "vitest";
import { hazardsOf, type ServerFacts } from "./hazards.ts";

const SAFE: ServerFacts = {
  product: undefined,
  replicaSet: "mbus",
  members: 3,
  sharded: false,
  majorityJournaled: true,
  committedReads: true,
  persistent: true,
};
const found = (facts: Partial<ServerFacts>): string[] => hazardsOf({ ...SAFE, ...facts }).map(({ setting }) => setting);

describe("dangers of a MongoDB server", () => {
  it("has none with three members that keep a journal", () => {
    expect(found({})).toEqual([]);
    expect(found({ sharded: true, replicaSet: undefined, members: 0 })).toEqual([]);
    expect(found({ majorityJournaled: undefined, committedReads: undefined, persistent: undefined })).toEqual([]);
  });
  it.each([
    ["another product", { product: "FerretDB" }, "mongodb.product"],
    ["no replica set", { replicaSet: undefined, members: 0 }, "mongodb.replica-set"],
    ["a replica set of one", { members: 1 }, "mongodb.members"],
    ["a majority that is counted before the journal", { majorityJournaled: false }, "mongodb.journal"],
    ["no reads of what a majority holds", { committedReads: false }, "mongodb.majority"],
    ["a storage engine in memory", { persistent: false }, "mongodb.storage"],
  ])("names %s", (_, facts, setting) => expect(found(facts)).toEqual([setting]));
  it("says what was found, what can happen and what to change, each in one sentence", () => {
    const all = hazardsOf({ ...SAFE, product: "FerretDB", members: 2, majorityJournaled: false, committedReads: false, persistent: false });
    for (const { found: what, danger, change } of all) for (const text of [what, danger, change]) expect(text).toMatch(/^[A-Z][^]*\.$/u);
  });
});
