/** How a group's consumers share its events: order per key, one holder of a partition at a time, nothing lost, whoever comes and goes. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { partitionOfKey } from "./partition.ts";
import { createProgress } from "./progress.ts";
import { createShare, PARTITIONS, type Shared } from "./share.ts";

const item = (position: number, partition = 0): Shared => ({ position, partition, bytes: 10 });

describe("the share of a group", () => {
  it("gives a lone consumer everything in order of the journal, whatever the partitions are", () => {
    const share = createShare<Shared, string>();
    share.join("a");
    for (const position of [1, 2, 3, 4]) share.add(item(position, (position * 7) % PARTITIONS));
    expect([1, 2, 3, 4, 5].map(() => share.next("a")?.position)).toEqual([1, 2, 3, 4, undefined]);
    expect([share.waiting, share.bytes]).toEqual([0, 0]);
  });

  it("gives each partition to one of several consumers, and all of them to somebody", () => {
    const share = createShare<Shared, string>();
    const members = ["a", "b", "c"];
    for (const member of members) share.join(member);
    for (let position = 1; position <= 24; position++) share.add(item(position, position % PARTITIONS));
    const got = members.map((member) => Array.from({ length: 24 }, () => share.next(member)).filter((one) => one !== undefined));
    expect(got.map((list) => list.length)).toEqual([8, 8, 8]);
    expect(new Set(got.flat().map(({ position }) => position)).size).toBe(24);
  });

  it("moves a partition only when its old holder settled all of it", () => {
    const share = createShare<Shared, string>();
    share.join("a");
    share.add(item(1, 1));
    share.add(item(2, 1));
    const first = share.next("a");
    share.join("b"); // partition 1 belongs to b now
    expect([share.next("b"), share.next("a")]).toEqual([undefined, undefined]);
    share.settled(first ?? item(0));
    expect(share.next("b")?.position).toBe(2);
  });

  it("gives what a consumer left behind to the others, before what came after it", () => {
    const share = createShare<Shared, string>();
    share.join("a");
    for (const position of [1, 2, 3]) share.add(item(position));
    const held = [share.next("a"), share.next("a")].filter((one) => one !== undefined);
    share.leave("a", held);
    share.join("b");
    expect([1, 2, 3].map(() => share.next("b")?.position)).toEqual([1, 2, 3]);
  });

  it("spreads keys over all partitions, and always the same way", () => {
    const spread = new Set(Array.from({ length: 500 }, (_, at) => partitionOfKey(`idnp:${2_000_000_000_000 + at}`, 0)));
    expect(spread.size).toBe(PARTITIONS);
    expect(partitionOfKey("idnp:2004100423789", 5)).toBe(partitionOfKey("idnp:2004100423789", 9));
    expect(partitionOfKey(undefined, 25)).toBe(1);
  });
});

/** Consumers that take, confirm, leave and come, and a process that dies between any two of those, with what was written down until then. */
type Step =
  | Readonly<{ do: "add"; partition: number }>
  | Readonly<{ do: "take" | "confirm" | "leave"; who: number }>
  | Readonly<{ do: "join"; who: number }>
  | Readonly<{ do: "save" | "die" }>;

const who = fc.nat(4);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant("add" as const), partition: fc.nat(PARTITIONS - 1) }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constantFrom("take" as const, "confirm" as const), who }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom("join" as const, "leave" as const), who }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom("save" as const, "die" as const) }) },
);

describe("a group through any life", () => {
  it("loses nothing, keeps the order of each key, and never has one key at two consumers", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
        const log: Shared[] = [];
        const confirmed = new Set<number>();
        let written = { next: 1, done: [] as readonly number[] };
        let progress = createProgress(written);
        let share = createShare<Shared, number>();
        let held = new Map<number, Shared[]>();

        const read = (): void => {
          for (const one of log.slice(progress.scan - 1)) {
            if (progress.finishedBefore(one.position)) progress.scanned(one.position + 1);
            else {
              progress.taken(one.position);
              share.add(one);
            }
          }
        };
        const take = (member: number): boolean => {
          const one = share.next(member);
          if (!one) return false;
          for (const [other, items] of held)
            if (other !== member) expect(items.filter(({ partition }) => partition === one.partition)).toEqual([]);
          const mine = held.get(member) ?? [];
          // all of this key that came before is done, or is with the same consumer, before this one
          const before = log.filter(({ position, partition }) => partition === one.partition && position < one.position);
          for (const { position } of before) expect(confirmed.has(position) || mine.some((each) => each.position === position)).toBe(true);
          held.set(member, [...mine, one]);
          return true;
        };
        const confirm = (member: number): void => {
          for (const one of held.get(member) ?? []) {
            share.settled(one);
            progress.finished(one.position);
            confirmed.add(one.position);
          }
          held.set(member, []);
        };
        const leave = (member: number): void => {
          share.leave(member, held.get(member) ?? []);
          held.delete(member);
        };
        const die = (): void => {
          share = createShare();
          progress = createProgress(written);
          held = new Map();
          read();
        };

        for (const one of steps) {
          if (one.do === "add") {
            log.push(item(log.length + 1, one.partition));
            read();
          } else if (one.do === "join") share.join(one.who);
          else if (one.do === "leave") leave(one.who);
          else if (one.do === "take") take(one.who);
          else if (one.do === "confirm") confirm(one.who);
          else if (one.do === "save") written = progress.document();
          else die();
        }
        for (const member of share.members.slice()) leave(member);
        share.join(9);
        while (take(9));
        confirm(9);
        expect(confirmed.size).toBe(log.length);
        expect(progress.document()).toEqual({ next: log.length + 1, done: [] });
        expect([share.waiting, share.bytes, progress.open]).toEqual([0, 0, 0]);
      }),
      { numRuns: 300 },
    );
  });
});

describe("what is written down of a group", () => {
  it("is the first unfinished position, and what is finished above it", () => {
    const progress = createProgress({ next: 5, done: [7] });
    for (const position of [5, 6]) progress.taken(position);
    expect(progress.finishedBefore(7)).toBe(true);
    progress.scanned(8);
    for (const position of [8, 9, 10]) progress.taken(position);
    for (const position of [9, 6]) progress.finished(position);
    expect(progress.document()).toEqual({ next: 5, done: [6, 7, 9] });
    progress.finished(5);
    expect(progress.document()).toEqual({ next: 8, done: [9] });
    for (const position of [8, 10]) progress.finished(position);
    expect(progress.document()).toEqual({ next: 11, done: [] });
  });

  it("keeps what an earlier life finished far ahead until this one has come there", () => {
    const progress = createProgress({ next: 1, done: [3, 4] });
    progress.taken(1);
    progress.finished(1);
    expect(progress.document()).toEqual({ next: 2, done: [3, 4] });
  });

  it("goes past what is nobody's", () => {
    const progress = createProgress({ next: 1, done: [] });
    progress.scanned(100);
    progress.scanned(50);
    expect(progress.document()).toEqual({ next: 100, done: [] });
  });
});
