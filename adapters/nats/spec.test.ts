import { expect, it } from "vitest";
import { amqp } from "#adapters/amqp/spec.ts";
import { nats } from "./spec.ts";

it("every option of a topic on a broker is described and closed to what is not an option, on both brokers alike", () => {
  for (const spec of [nats, amqp])
    for (const schema of [spec.inlet, spec.outlet]) {
      expect(schema?.additionalProperties).toBe(false);
      for (const [name, option] of Object.entries(schema?.properties ?? {}))
        expect((option as { description?: string }).description?.length, name).toBeGreaterThan(20);
    }
  expect(amqp.inlet?.properties).toEqual(nats.inlet?.properties);
  expect(amqp.outlet?.properties).toEqual(nats.outlet?.properties);
});
