/** Change control put together: where the running files come from, and who may change them. */
import { compileJsonSchema } from "#adapters/mconnect-events/schema.ts";
import type { Bus } from "#bus/bus.ts";
import { asBusError } from "#bus/errors.ts";
import type { Clock, Journal, Registry, Store } from "#bus/ports.ts";
import { openArchive, type Archive, type Revision } from "#bus/revision/archive.ts";
import { createChanges, type ChangeAdmin, type Mode } from "#bus/revision/changes.ts";
import type { Waiting } from "#bus/revision/plan-routes.ts";
import type { Side } from "#bus/revision/plan.ts";
import { openProposals } from "#bus/revision/proposals.ts";
import { treeDigest, treeOf } from "#bus/revision/tree.ts";
import { compileRoutes } from "#bus/route/compile.ts";
import type { Files } from "#bus/route/findings.ts";
import { readKept, type ReadFiles } from "./files.ts";
import { createFollower } from "./follow.ts";
import type { Log } from "./log.ts";
import { createReloader, type Reloader } from "./reload.ts";
import { createFileRunner } from "./run-files.ts";
import type { Schemas } from "./schemas.ts";
import { xmlToJson } from "./xml-to-json.ts";

export type ChangesParts = Readonly<{
  bus: Bus;
  schemas: Schemas;
  registry: Registry;
  store: Store;
  journal: Journal;
  clock: Clock;
  log: Log;
  mode: Mode;
  root: string;
  env: Readonly<Record<string, string | undefined>>;
  variables: Readonly<Record<string, string>>;
}>;

export async function openChanges(parts: ChangesParts): Promise<Readonly<{ reloader: Reloader; changes: ChangeAdmin }>> {
  const archive = await openArchive(parts.store);
  const { log, root, env, variables, clock } = parts;
  const shared = { runner: createFileRunner(parts), log, root, env, variables };
  const reloader =
    parts.mode === "watched"
      ? createReloader({ ...shared, sound: (read) => record(archive, read, parts) })
      : createFollower({ ...shared, archive, clock });
  const changes = createChanges({
    archive,
    proposals: await openProposals(parts.store),
    journal: parts.journal,
    clock,
    mode: parts.mode,
    judge: (files) => judge(parts, files),
    // it is written: whoever cannot take it now tries again every second
    take: () => reloader.load().catch((error: unknown) => log.error({ err: error }, "the new revision does not run here yet")),
    waiting: () => waitingOf(parts.bus),
    registered: (subject, schema) => parts.registry.compatibility(subject, schema),
  });
  return { reloader, changes };
}

/** Files on disk that run without an error are a revision, unless they are what the newest one says. */
async function record(archive: Archive, { files }: ReadFiles, { clock, log }: ChangesParts): Promise<Revision | undefined> {
  const facts = { act: "watch", who: "file watch", because: "files changed on disk" } as const;
  try {
    const head = await archive.head();
    if (head?.tree === treeDigest(treeOf(files))) return head;
    return await archive.append(head?.number ?? 0, files, { ...facts, time: clock.now() });
  } catch (thrown) {
    // what runs, runs: another process that recorded its files first, or a store that is away, is no reason to stop it
    log.warn({ err: asBusError(thrown) }, "the running files were not recorded as a revision");
    return undefined;
  }
}

async function judge({ schemas, env, variables }: ChangesParts, given: Files): Promise<Side> {
  const { files, documents, findings } = readKept(given, env, variables);
  const compiled = await compileRoutes(documents, {
    files,
    schemaIds: () => Promise.resolve(0),
    lookup: schemas.lookup,
    xmlToJson,
    jsonSchema: compileJsonSchema,
  });
  return { files, documents, set: compiled.set, findings: [...findings, ...compiled.findings] };
}

async function waitingOf(bus: Bus): Promise<readonly Waiting[]> {
  const running = [...bus.view().routes.values()];
  const found = await Promise.all(
    running.map(({ route, branches, replies }) =>
      Promise.all(
        [...branches, ...replies].map(async (branch) => ({ route: route.id, branch: branch.name, count: (await branch.state()).lag })),
      ),
    ),
  );
  return found.flat();
}
