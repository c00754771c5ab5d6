/** What the suites of engines share: worlds that can restart, and cases that are skipped only by title and with a reason. */
import { afterEach, describe, expect, it } from "vitest";

/** One engine over one place that survives it. `restart` closes the engine and opens it again on the same place. */
export type World<T> = Readonly<{ port: T; restart(): Promise<T>; close(): Promise<void> }>;

/** Title of a case, and why this engine does not pass it. */
export type Skips = Readonly<Record<string, string>>;

export type Cases<T> = (title: string, body: (world: World<T>) => Promise<void>, feature?: string) => void;

/** Opens a world for each case and closes it after. A case of a feature that is not declared needs a reason in `skips`. */
export function suite<T>(
  title: string,
  features: readonly string[],
  create: () => Promise<World<T>>,
  skips: Skips,
  cases: (test: Cases<T>) => void,
): void {
  describe(title, () => {
    const worlds: World<T>[] = [];
    const titles = new Set<string>();
    afterEach(async () => {
      for (const world of worlds.splice(0)) await world.close();
    });
    cases((name, body, feature) => {
      titles.add(name);
      const reason = skips[name];
      if (reason !== undefined) return it.skip(`${name} (${reason})`, () => undefined);
      it(name, async () => {
        if (feature !== undefined)
          expect(features, `the feature "${feature}" is not declared: declare it, or skip this case with a reason`).toContain(feature);
        const world = await create();
        worlds.push(world);
        await body(world);
      });
    });
    it("skips only cases that exist, each with a reason", () => {
      for (const [name, reason] of Object.entries(skips)) {
        expect(titles, "a skipped title").toContain(name);
        expect(reason.length, `the reason to skip "${name}"`).toBeGreaterThan(10);
      }
    });
  });
}

/** Resolves when `done` says so; fails after `ms`. A machine that does other work too may be slow. */
export async function eventually(done: () => boolean | Promise<boolean>, what: string, ms = 60_000): Promise<void> {
  const until = performance.now() + ms;
  while (!(await done())) {
    if (performance.now() > until) throw new Error(`did not happen within ${ms} ms: ${what}`);
    await pause(5);
  }
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** The BusError's code that a promise fails with; "" when it does not fail. */
export async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return "";
  } catch (error) {
    return error instanceof Error && "code" in error ? String(error.code) : `not a BusError: ${String(error)}`;
  }
}
