/** A grant and the routes it opens have different owners; where they have not, lint says so and nothing stops. */
import { describe, expect, it } from "vitest";
import { edited, lintTexts, saidOf } from "#test/harness/good-files.ts";

const FILE = "routes/person-lookup.yaml";
const owner = (name: string) => edited(FILE, "owner: data-protection-officer", `owner: ${name}`);

describe("the owner of a grant", () => {
  it("that is another than the route's is not spoken of", () => {
    expect(saidOf(owner("somebody-else")).filter((line) => line.includes("grant-owner"))).toEqual([]);
  });

  it.each(["population-registry-team", " Population-Registry-Team"])(
    "that is the route's own, written %j, is a warning at its line",
    (name) => {
      const lines = saidOf(owner(JSON.stringify(name))).filter((line) => line.includes("grant-owner"));
      expect(lines).toEqual([
        expect.stringMatching(/^routes\/person-lookup\.yaml:73:8 {2}warn {2}grant-owner {2}.*let another role own it/u) as string,
      ]);
      expect(lines[0]).toContain("has the owner of route `person-lookup`");
    },
  );

  it("keeps nothing from running", () => {
    const { documents } = lintTexts(owner("population-registry-team"));
    expect(documents.leftOut).toEqual([]);
    expect(documents.grants.size).toBe(lintTexts(owner("x")).documents.grants.size);
  });
});
