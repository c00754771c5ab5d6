/** `mbus replay`: counts or starts a replay and shows its progress until it ends. */
import type { ReplayCount, ReplayRow } from "#bus/admin.ts";
import { admin } from "./client.ts";
import { moment } from "./journal.ts";
import { CommandFailed, print, whole, type Output } from "./output.ts";

export type ReplayOptions = Readonly<{
  route: string;
  from?: string;
  to?: string;
  branch?: string;
  where?: string;
  id?: string;
  correlation?: string;
  position?: string;
  rate?: string;
  stopOnFailure?: boolean;
  dryRun?: boolean;
  reason?: string;
  operator: string;
}>;

export async function replay(output: Output, options: ReplayOptions): Promise<number> {
  const filter = {
    route: options.route,
    ...(options.from === undefined ? undefined : { from: moment(options.from, "--from") }),
    ...(options.to === undefined ? undefined : { to: moment(options.to, "--to") }),
    ...(options.branch === undefined ? undefined : { branch: options.branch }),
    ...(options.where === undefined ? undefined : { where: options.where }),
    ...(options.id === undefined ? undefined : { id: options.id }),
    ...(options.correlation === undefined ? undefined : { correlationId: options.correlation }),
    ...(options.position === undefined ? undefined : { fromPosition: whole(options.position, "--position") }),
  };
  if (options.dryRun === true) {
    const counted = await admin<ReplayCount>("POST", "/replays", { ...filter, dryRun: true });
    print(
      output,
      counted,
      `${counted.total} messages would be sent${counted.withoutPayload > 0 ? `; ${counted.withoutPayload} more fit, but the journal does not keep them whole` : ""}`,
    );
    return 0;
  }
  if (options.reason === undefined) throw new CommandFailed("a replay needs --reason: say why, it is kept in the journal", 2);
  const acting = { reason: options.reason, operator: options.operator, stopOnFailure: options.stopOnFailure === true };
  const started = await admin<ReplayRow>("POST", "/replays", {
    ...filter,
    ...acting,
    ...(options.rate === undefined ? undefined : { rate: rateOf(options.rate) }),
  });
  const ended = await follow(output, started);
  print(
    output,
    ended,
    `replay ${ended.id} ${ended.state}: ${ended.done} delivered, ${ended.failed} failed, ${ended.remaining} left of ${ended.total}`,
  );
  return ended.failed > 0 || ended.remaining > 0 ? 1 : 0;
}

async function follow(output: Output, started: ReplayRow): Promise<ReplayRow> {
  let job = started;
  let said = -1;
  while (job.state === "running") {
    if (!output.json && job.done !== said) output.err(`${job.done + job.failed} of ${job.total}`);
    said = job.done;
    await new Promise((resolve) => setTimeout(resolve, 300));
    job = await admin<ReplayRow>("GET", `/replays/${encodeURIComponent(job.id)}`);
  }
  return job;
}

/** `20`, or `20/s`. */
function rateOf(text: string): number {
  const rate = Number(text.replace(/\/s$/u, ""));
  if (!Number.isFinite(rate) || rate <= 0) throw new CommandFailed(`--rate ${text} is no rate: write 20 or 20/s`, 2);
  return rate;
}
