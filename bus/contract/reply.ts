/** The reply of a command as what it is to its receiver: news, with a contract of its own. */
import type { Contract, ContractType } from "./contract.ts";

export function replyContract<C extends Contract, T extends ContractType>(contract: C, reply: T): C & { request: T; reply: undefined } {
  return { ...contract, id: reply.id, pattern: "event", request: reply, reply: undefined, requires: [], subject: undefined };
}
