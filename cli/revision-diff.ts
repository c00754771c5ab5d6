/** `mbus revisions diff A [B]`: what two revisions say differently, file by file. */
import { diffTrees } from "#bus/admin.ts";
import { admin } from "./client.ts";
import { hunks } from "./line-diff.ts";
import { plain, print, type Output } from "./output.ts";
import { shown } from "./revisions.ts";

type Difference = Readonly<{ path: string; change: "added" | "changed" | "removed"; lines: readonly string[] }>;

/** `to` defaults to the newest. Exit 1 when they differ, as diff does. */
export async function diff(output: Output, from: string, to = "head"): Promise<number> {
  const [before, after] = [await shown(from), await shown(to)];
  const { added, changed, removed } = diffTrees(before.files, after.files);
  const one = async (path: string, change: Difference["change"]): Promise<Difference> => {
    const [was, will] = [await textOf(before.files[path]), await textOf(after.files[path])];
    return { path, change, lines: hunks(was, will) };
  };
  const found: Difference[] = [];
  for (const [change, paths] of [
    ["removed", removed],
    ["changed", changed],
    ["added", added],
  ] as const)
    for (const path of paths) found.push(await one(path, change));
  const text = found.flatMap(({ path, change, lines }) => [`${change}: ${path}`, ...lines.map((line) => `  ${line}`)]).map(plain);
  print(
    output,
    { from: before.revision.number, to: after.revision.number, files: found },
    found.length === 0 ? `revisions ${before.revision.number} and ${after.revision.number} say the same` : text.join("\n"),
  );
  return found.length === 0 ? 0 : 1;
}

async function textOf(digest: string | null | undefined): Promise<string> {
  if (digest === null || digest === undefined) return "";
  return (await admin<Readonly<{ text: string }>>("GET", `/revision-texts/${digest}`)).text;
}
