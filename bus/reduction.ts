/** What a grant lets its holder see, compiled once per grant and type. */
import type { ContractType } from "./contract/contract.ts";
import { compileReducer } from "./contract/reduce.ts";
import type { AvroRecord } from "./envelope.ts";
import type { Grant } from "./route/runtime.ts";

export type Reduce = (grant: Grant, value: AvroRecord) => AvroRecord;

export function createReduction(type: ContractType | undefined): Reduce {
  const compiled = new WeakMap<Grant, (value: AvroRecord) => AvroRecord>();
  return (grant, value) => {
    if (!grant.allow || !type) return value;
    let reducer = compiled.get(grant);
    if (!reducer) {
      reducer = compileReducer(type, grant.allow);
      compiled.set(grant, reducer);
    }
    return reducer(value);
  };
}
