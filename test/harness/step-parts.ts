/** What the builder of one step is given where a test builds it by itself: no files, no contracts, nothing nested. */
import type { Pattern } from "#bus/contract/contract.ts";
import { BusError } from "#bus/errors.ts";
import type { StepParts } from "#bus/route/steps/parts.ts";

export function stepParts(pattern: Pattern): StepParts {
  return {
    pattern,
    place: () => "r.yaml:9",
    nested: () => [],
    map: () => (value) => value,
    type(id) {
      throw new BusError("contract-unknown", id);
    },
    xmlToJson: undefined,
  };
}
