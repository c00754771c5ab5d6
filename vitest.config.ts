import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

/** Most suites wait for processes and servers of their own, so there may be more of them at work than there are cores. */
const WORKERS = Math.max(3, availableParallelism());

/** One project per kind of test; the kind is the file's suffix. Projects of one turn run side by side, the next turn after them. */
const project = (name: string, include: string[], timeout: number, turn = 0, maxWorkers = WORKERS) => ({
  test: {
    name,
    maxWorkers,
    include,
    exclude: ["**/node_modules/**"],
    testTimeout: timeout,
    hookTimeout: timeout,
    pool: "forks" as const,
    sequence: { groupOrder: turn },
  },
});

const kinds = ["conformance", "flow", "real", "attack", "fault"];

export default defineConfig({
  test: {
    maxWorkers: WORKERS,
    projects: [
      {
        test: {
          name: "unit",
          include: ["**/*.test.ts"],
          exclude: ["**/node_modules/**", ...kinds.map((kind) => `**/*.${kind}.test.ts`)],
          testTimeout: 20_000,
          pool: "threads" as const,
        },
      },
      project("conformance", ["**/*.conformance.test.ts"], 120_000),
      project("flow", ["**/*.flow.test.ts"], 60_000),
      project("attack", ["**/*.attack.test.ts"], 60_000),
      project("real", ["**/*.real.test.ts"], 120_000),
      // leases and time-outs of whole clusters stand in these: they get the machine for themselves
      project("fault", ["**/*.fault.test.ts"], 600_000, 1, 2),
    ],
  },
});
