/**
 * Start-up refuses an engine that can lose or stop messages, unless the stage waives each such danger in words. The refusal lists
 * what was found, what can happen, what to change, and the lines to write by those who take it all the same.
 */
import type { Hazard } from "#bus/broker.ts";
import { BusError } from "#bus/errors.ts";
import type { Waiver } from "#bus/route/documents.ts";
import { readFiles } from "./files.ts";
import type { Log } from "./log.ts";

export type Waived = Readonly<{ hazard: Hazard; because: string }>;

/** Gives the dangers that are waived. Throws `configuration` where one is not; `file` is where the waivers stand or could stand. */
export function judge(hazards: readonly Hazard[], waivers: readonly Waiver[], file: string): readonly Waived[] {
  const reasons = new Map(waivers.map(({ setting, because }) => [setting, because]));
  const open = hazards.filter(({ setting }) => !reasons.has(setting));
  if (open.length > 0)
    throw new BusError("configuration", refusal(open, file), {
      places: open.map(({ setting, found, change }) => ({ text: `${setting}: ${found} ${change}` })),
    });
  return hazards.map((hazard) => ({ hazard, because: reasons.get(hazard.setting) ?? "" }));
}

function refusal(open: readonly Hazard[], file: string): string {
  const names = [...new Set(open.map(({ setting }) => setting))];
  const told = open.map(
    ({ setting, found, danger, change }) => `  ${setting}\n    found:  ${found}\n    danger: ${danger}\n    change: ${change}`,
  );
  return [
    `the bus does not start on engines that can lose or stop messages; ${open.length === 1 ? "one danger was" : `${open.length} dangers were`} found:`,
    ...told,
    `Who takes ${names.length === 1 ? "it" : "them"} all the same says why, in ${file} (20 characters or more):`,
    "waive:",
    ...names.map((setting) => `  - { setting: ${setting}, because: "…" }`),
  ].join("\n");
}

export type AcceptParts = Readonly<{ root: string; stage: string; env: Readonly<Record<string, string | undefined>>; log: Log }>;

/** Refuses what is not waived, and repeats what is at every start. The files are read only where there is something to judge. */
export function acceptHazards({ root, stage, env, log }: AcceptParts): (hazards: readonly Hazard[]) => Promise<void> {
  return async (hazards) => {
    if (hazards.length === 0) return;
    const { file, waivers } = await waiversOf(root, stage, env);
    for (const { hazard, because } of judge(hazards, waivers, file))
      log.warn({ ...hazard, because, file }, "a danger of an outside engine is waived");
  };
}

/** The waivers of a stage's file, and its name. A document that does not lint waives nothing. */
export async function waiversOf(
  root: string,
  stage: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<Readonly<{ file: string; waivers: readonly Waiver[] }>> {
  const names = [`config/${stage}.yaml`, `config/${stage}.yml`];
  const { documents } = await readFiles([root], env);
  const own = [...documents.environments.values()].filter(({ source }) => names.includes(source.file));
  return { file: own[0]?.source.file ?? `config/${stage}.yaml`, waivers: own.flatMap(({ waive }) => waive) };
}
