import { describe, expect, it } from "vitest";
import { BusError } from "#bus/errors.ts";
import { carriedEnvelope } from "#test/conformance/broker-parts.ts";
import { readAnswer, readCarried, writeAnswer, writeCarried, writeFault } from "./carry.ts";

describe("a message as one body", () => {
  it("comes back as it was, with position and predecessor", () => {
    const message = { envelope: carriedEnvelope(3, { key: "ț", deadline: 5 }), position: 2 ** 53 - 1, after: -1 };
    expect(readCarried(writeCarried(message))).toEqual(message);
  });
  it("is refused at every cut, never read as another", () => {
    const whole = writeCarried({ envelope: carriedEnvelope(3), position: 7, after: 6 });
    for (let end = 0; end < whole.length; end++) expect(() => readCarried(whole.subarray(0, end)), `cut at ${end}`).toThrow(BusError);
  });
  it("of another format is refused by name", () => {
    const whole = writeCarried({ envelope: carriedEnvelope(3), position: 7, after: 6 });
    whole[0] = 9;
    expect(() => readCarried(whole)).toThrow(/format 9/);
  });
  it("an answer is an envelope or the responder's error", () => {
    expect(readAnswer(writeAnswer(carriedEnvelope(1)))).toEqual(carriedEnvelope(1));
    const fault = new BusError("provider-fault", "no", { providerCode: "7", retryAfter: 5, places: [{ text: "t" }] });
    expect(() => readAnswer(writeFault(fault))).toThrow(
      expect.objectContaining({ code: "provider-fault", providerCode: "7", retryAfter: 5 }),
    );
  });
});
