import { describe, expect, it } from "vitest";
import { digestOf, newId, traceparentOf } from "./ids.ts";

describe("ids", () => {
  it("are UUIDv7 and grow with time", () => {
    const now = 1_790_000_000_000;
    const ids = [newId(now), newId(now + 1), newId(now + 70_000)];
    for (const id of ids) expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/u);
    expect(ids.toSorted()).toEqual(ids);
    expect(Number.parseInt(ids[0]?.replaceAll("-", "").slice(0, 12) ?? "", 16)).toBe(now);
  });

  it("of one moment share its time and nothing else, whatever moment came between", () => {
    const moments = [1_790_000_000_000, 5, 1_790_000_000_000, 1_790_000_000_001, 5];
    const ids = moments.map((now) => newId(now));
    expect(ids.map((id) => Number.parseInt(id.replaceAll("-", "").slice(0, 12), 16))).toEqual(moments);
    expect(new Set(ids.map((id) => id.slice(15))).size).toBe(moments.length);
  });

  it("digest as sha-256 in hex", () => {
    expect(digestOf(new TextEncoder().encode("abc"))).toBe("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  });

  it("go on with a sender's trace under a span of our own", () => {
    const given = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    const next = traceparentOf(given);
    expect(next.slice(0, 36)).toBe(given.slice(0, 36));
    expect(next).not.toBe(given);
    expect(next).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/u);
  });

  it.each([undefined, "", "nonsense", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-ff"])(
    "begin a trace where the sender's is %s",
    (given) => {
      expect(traceparentOf(given)).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/u);
    },
  );
});
