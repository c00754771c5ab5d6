import { defineConfig } from "vitest/config";

/** One project per kind of test; the kind is the file's suffix. */
const project = (name: string, include: string[], timeout: number) => ({
  test: { name, include, exclude: ["**/node_modules/**"], testTimeout: timeout, hookTimeout: timeout, pool: "forks" as const },
});

const kinds = ["conformance", "flow", "real", "attack", "fault"];

export default defineConfig({
  test: {
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
      project("fault", ["**/*.fault.test.ts"], 600_000),
    ],
  },
});
