/** Which parts of a route its tests never exercised: branches, both sides of each `when`, failure rules, steps. */
import type { Route, Step } from "../runtime.ts";

/** `what`: `branch statistics`, `when of statistics is never false`, `failures[1]`, `step 2 (choose, file:line)`. */
export type Uncovered = Readonly<{ route: string; what: string }>;

export interface Coverage {
  /** The same route, noting what runs. */
  readonly route: Route;
  ruleUsed(index: number): void;
  sent(branch: string): void;
  uncovered(): readonly Uncovered[];
}

export function watch(route: Route): Coverage {
  const seen = new Set<string>();
  const step =
    (prefix: string) =>
    (one: Step, index: number): Step => ({
      ...one,
      run(message, context) {
        seen.add(`${prefix} ${index}`);
        return one.run(message, context);
      },
    });
  const branches = route.branches.map((branch) => {
    const { when } = branch;
    const watched = { ...branch, steps: branch.steps.map(step(`step of ${branch.name}`)) };
    if (when === undefined) return watched;
    const note = (holds: boolean): boolean => {
      seen.add(`when ${branch.name} ${holds}`);
      return holds;
    };
    const noted: typeof when = (message) => {
      const holds = when(message);
      return holds instanceof Promise ? holds.then(note) : note(holds);
    };
    return { ...watched, when: noted };
  });
  return {
    route: { ...route, branches, steps: route.steps.map(step("step")) },
    ruleUsed: (index) => seen.add(`failure ${index}`),
    sent: (branch) => seen.add(`sent ${branch}`),
    uncovered: () => missing(route, seen).map((what) => ({ route: route.id, what })),
  };
}

function missing(route: Route, seen: ReadonlySet<string>): readonly string[] {
  const found: string[] = [];
  for (const [index, { name, place }] of route.steps.entries())
    if (!seen.has(`step ${index}`)) found.push(`step ${index + 1} (${name}, ${place})`);
  for (const { name, when, steps } of route.branches) {
    if (!seen.has(`sent ${name}`)) found.push(`branch ${name}`);
    for (const side of when === undefined ? [] : [true, false])
      if (!seen.has(`when ${name} ${side}`)) found.push(`when of ${name} is never ${side}`);
    for (const [index, step] of steps.entries())
      if (!seen.has(`step of ${name} ${index}`)) found.push(`step ${index + 1} of ${name} (${step.name}, ${step.place})`);
  }
  for (const [index, rule] of route.failures.entries()) {
    if (!seen.has(`failure ${index}`))
      found.push(`failures[${index}] (${rule.on?.join(", ") ?? "default"}${rule.code === undefined ? "" : `: ${rule.code}`} → ${rule.do})`);
  }
  return found;
}
