/**
 * Change control as a machine of states: two processes on one store apply, roll back, die at any write and start again. And the way
 * back is whole: after a rollback every byte of the effective configuration is what it was.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Collection, Json, Store } from "#bus/ports.ts";
import { effectiveRoute } from "#bus/route/effective.ts";
import type { Files } from "#bus/route/findings.ts";
import { openTestChanges, sideOf, type TestChanges } from "#test/harness/changes.ts";
import { createMemoryDisk, createMemoryJournal, createMemoryStore, type MemoryDisk } from "#test/harness/memory.ts";
import { BASE, CHANGED, filesOf, LOOKUP, MAPS, ORDER } from "#test/harness/route-world.ts";
import { createVirtualClock } from "#test/harness/virtual-clock.ts";
import type { Archive } from "./archive.ts";
import { treeDigest, treeOf } from "./tree.ts";

const EMPTY = sideOf(filesOf({}));
const DOING = { who: "ana", because: "a test", anyway: true };

/** Every write may be the last one of this process: it is done or not done, and the answer never comes. */
function mortal(store: Store, dies: () => "no" | "before" | "after"): Store {
  const guard = async <T>(write: () => Promise<T>): Promise<T> => {
    const when = dies();
    if (when === "before") throw new Error("killed before a write");
    const result = await write();
    if (when === "after") throw new Error("killed after a write");
    return result;
  };
  return {
    ...store,
    async collection<T extends Json>(name: string): Promise<Collection<T>> {
      const rows = await store.collection<T>(name);
      return {
        ...rows,
        insert: (id: string, value: T) => guard(() => rows.insert(id, value)),
        update: (id: string, version: number, value: T) => guard(() => rows.update(id, version, value)),
      };
    },
    blobs: { ...store.blobs, put: (id, bytes) => guard(() => store.blobs.put(id, bytes)) },
  };
}

/** A process: what it runs is the newest revision that it took. */
class Node {
  private made: TestChanges | undefined;
  runs = "";
  deadline = Number.POSITIVE_INFINITY;
  private writes = 0;
  private readonly disk: MemoryDisk;
  constructor(disk: MemoryDisk) {
    this.disk = disk;
  }

  async start(): Promise<TestChanges> {
    if (this.made) return this.made;
    const dies = (): "no" | "before" | "after" => {
      this.writes += 1;
      return this.writes < this.deadline ? "no" : this.writes % 2 === 0 ? "after" : "before";
    };
    const store = mortal(createMemoryStore(this.disk), dies);
    const journal = createMemoryJournal({ disk: this.disk });
    const clock = createVirtualClock(0);
    // the machine is about revisions: any text is a sound file
    const judge = async (files: Files) => ({ ...(await EMPTY), files });
    this.made = await openTestChanges({ store, journal, clock, judge });
    return this.made;
  }
  /** Dies at the nth write from now. */
  doom(writes: number): void {
    this.deadline = this.writes + writes;
  }
  crash(): void {
    this.made = undefined;
    this.deadline = Number.POSITIVE_INFINITY;
    this.runs = "";
  }
  async look(): Promise<void> {
    this.runs = (await (await this.start()).changes.head())?.tree ?? "";
  }
}

type Step =
  | Readonly<{ kind: "apply"; node: 0 | 1; path: string; text: string; stale: boolean }>
  | Readonly<{ kind: "rollback"; node: 0 | 1; to: number }>
  | Readonly<{ kind: "doom"; node: 0 | 1; writes: number }>
  | Readonly<{ kind: "crash"; node: 0 | 1 }>;

const node = fc.constantFrom<0 | 1>(0, 1);
const steps = fc.array(
  fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({
        kind: fc.constant("apply" as const),
        node,
        path: fc.constantFrom("routes/a.yaml", "routes/b.yaml"),
        text: fc.constantFrom("1", "2", "3"),
        stale: fc.boolean(),
      }),
    },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant("rollback" as const), node, to: fc.integer({ min: 1, max: 6 }) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("doom" as const), node, writes: fc.integer({ min: 1, max: 5 }) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("crash" as const), node }) },
  ) satisfies fc.Arbitrary<Step>,
  { maxLength: 25 },
);

async function tree(archive: Archive, number: number): Promise<string> {
  return treeDigest(treeOf(await archive.files(await archive.get(number))));
}

describe("two processes that change, die and start again", () => {
  it("keep one unbroken line of revisions, lose none that was confirmed, and run the same in the end", async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (script) => {
        const disk = createMemoryDisk();
        const nodes = [new Node(disk), new Node(disk)] as const;
        const confirmed = new Map<number, string>();
        await (
          await nodes[0].start()
        ).archive.append(0, filesOf({ "routes/a.yaml": "0" }), { act: "start", who: "root", because: "", time: 0 });
        for (const step of script) {
          const one = nodes[step.node];
          if (step.kind === "doom") one.doom(step.writes);
          else if (step.kind === "crash") one.crash();
          else {
            const { changes } = await one.start();
            const head = (await changes.head())?.number ?? 0;
            const act =
              step.kind === "rollback"
                ? changes.rollback(step.to, DOING)
                : changes.apply({ base: step.stale ? head - 1 : head, put: { [step.path]: step.text }, remove: [] }, DOING);
            const done = await act.catch((error: unknown) => error as Error);
            if ("state" in done && done.state === "applied") confirmed.set(done.revision.number, done.revision.id);
            else if (done instanceof Error && done.message.startsWith("killed")) one.crash();
            else if (step.kind === "apply" && step.stale) expect(done).toMatchObject({ code: "store-conflict" });
          }
        }
        for (const one of nodes) {
          one.crash();
          await one.look();
        }
        expect(nodes[0].runs).toBe(nodes[1].runs);
        const { archive } = await nodes[0].start();
        const line = (await archive.list(100)).toReversed();
        expect(line.map(({ number }) => number)).toEqual(line.map((_, at) => at + 1));
        expect(line.map(({ parent }) => parent)).toEqual(["", ...line.slice(0, -1).map(({ id }) => id)]);
        for (const [number, id] of confirmed) expect(line[number - 1]?.id).toBe(id);
        for (const { number, restores, tree: own } of line) {
          expect(await tree(archive, number)).toBe(own);
          if (restores !== undefined) expect(own).toBe(line[restores - 1]?.tree);
        }
      }),
      { numRuns: 150 },
    );
  }, 120_000);
});

const FILES: Readonly<Record<string, string>> = {
  ...BASE,
  ...MAPS,
  "routes/lookup.yaml": LOOKUP,
  "routes/changed.yaml": CHANGED,
  "routes/order.yaml": ORDER,
};

/** Everything that decides how the bus behaves, as one text. */
async function effective(files: Files): Promise<string> {
  const { documents, set } = await sideOf(files);
  const routes = [...documents.routes.keys()].map((id) => [id, effectiveRoute(documents, id)?.yaml, set.routes.get(id)?.revision]);
  const types = [...set.contracts.values()].map(({ id, request, reply }) => [id, request.schemaText, reply?.schemaText]);
  return JSON.stringify([routes, types, set.grants, [...set.systems]]);
}

/** Edits that leave the files sound. */
const EDITS: readonly (readonly [string, string, string])[] = [
  ["routes/grants.yaml", "[status, name]", "[status]"],
  ["routes/grants.yaml", "purpose: test", "purpose: tests"],
  ["routes/lookup.yaml", "deadline: 9s", "deadline: 8s"],
  ["routes/lookup.yaml", "attempts: 3", "attempts: 2"],
  ["routes/changed.yaml", "name: moves", "name: movements"],
  ["routes/order.yaml", "id: person-order", "id: orders"],
  ["routes/systems.yaml", "http://erp.test", "http://erp2.test"],
  ["routes/map/reply.map.yaml", "found", "known"],
  ["contracts/changed.avsc", '{"name":"secret"', '{"name":"more","type":["null","string"],"default":null},{"name":"secret"'],
];
const edit = (texts: Readonly<Record<string, string>>, at: number): Readonly<Record<string, string>> => {
  const [path, from, to] = EDITS[at] ?? ["", "", ""];
  const text = texts[path] ?? "";
  return { ...texts, [path]: text.includes(from) ? text.replace(from, () => to) : text.replace(to, () => from) };
};

describe("the way back", () => {
  it("gives an effective configuration equal byte for byte, after any edits", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 0, max: EDITS.length - 1 }), { minLength: 1, maxLength: 4 }),
        fc.nat(),
        async (edits, pick) => {
          const disk = createMemoryDisk();
          const { archive, changes } = await openTestChanges({
            store: createMemoryStore(disk),
            journal: createMemoryJournal({ disk }),
            clock: createVirtualClock(0),
          });
          let texts = FILES;
          await archive.append(0, filesOf(texts), { act: "start", who: "root", because: "", time: 0 });
          const was = [await effective(filesOf(texts))];
          for (const each of edits) {
            texts = edit(texts, each);
            const [path = ""] = EDITS[each] ?? [];
            await changes.apply({ base: was.length, put: { [path]: texts[path] ?? "" }, remove: [] }, DOING);
            was.push(await effective(filesOf(texts)));
          }
          const to = 1 + (pick % edits.length);
          const head = await changes.head();
          if (head?.tree === (await archive.get(to)).tree) return;
          await changes.rollback(to, DOING);
          const now = await archive.head();
          if (!now) throw new Error("no revision");
          expect(await effective(await archive.files(now))).toBe(was[to - 1]);
        },
      ),
      { numRuns: 6 },
    );
  }, 120_000);
});
