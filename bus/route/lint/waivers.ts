/** Waivers of a stage: each danger is taken once, for one reason. */
import type { Rule } from "./rule.ts";

export const waivers: Rule = {
  name: "waived-twice",
  check(set, say) {
    for (const document of set.environments.values()) {
      const seen = new Set<string>();
      for (const [at, { setting }] of document.waive.entries()) {
        if (seen.has(setting))
          say({ document, path: ["waive", at, "setting"] }, `\`${setting}\` is waived above; keep one of the two reasons`);
        seen.add(setting);
      }
    }
  },
};
