import { expect, it } from "vitest";
import { nats } from "./spec.ts";

it("every option of a topic on NATS is described and closed to what is not an option", () => {
  for (const schema of [nats.inlet, nats.outlet]) {
    expect(schema?.additionalProperties).toBe(false);
    for (const [name, option] of Object.entries(schema?.properties ?? {}))
      expect((option as { description?: string }).description?.length, name).toBeGreaterThan(20);
  }
});
