/** All rules over the whole set, in the order in which they speak. */
import { grants } from "./access.ts";
import { fields, orderKey, personal } from "./data.ts";
import { deadline, failures, idempotence, oneTarget, replay } from "./delivery.ts";
import { events } from "./events.ts";
import { namedSystem, silent } from "./edges.ts";
import { fieldTests } from "./field-tests.ts";
import { adapterFiles, unusedMaps, untested } from "./files.ts";
import { contractFits, unknownNames } from "./references.ts";
import { owners } from "./owners.ts";
import { replies } from "./replies.ts";
import type { Rule } from "./rule.ts";
import { onePath, sameName, schedule } from "./sources.ts";
import { aggregates, choose, expressions, firstReply, pieces } from "./steps.ts";
import { certificates, identities } from "./certificates.ts";
import { deadEnds, loops } from "./topics.ts";
import { waivers } from "./waivers.ts";

export const RULES: readonly Rule[] = [
  unknownNames,
  contractFits,
  grants,
  owners,
  choose,
  expressions,
  pieces,
  firstReply,
  aggregates,
  deadline,
  idempotence,
  replay,
  failures,
  oneTarget,
  onePath,
  sameName,
  namedSystem,
  silent,
  replies,
  schedule,
  fields,
  fieldTests,
  events,
  orderKey,
  personal,
  loops,
  deadEnds,
  adapterFiles,
  unusedMaps,
  untested,
  waivers,
  certificates,
  identities,
];
