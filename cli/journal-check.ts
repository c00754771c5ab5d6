/** `mbus journal check`: is the journal still what was sealed of it? */
import { admin } from "./client.ts";
import { print, whole, type Output } from "./output.ts";

type Checked = Readonly<{ items: readonly string[]; size: number; position: number }>;

export async function check(output: Output, options: Readonly<{ from?: string }>): Promise<number> {
  const from = options.from === undefined ? 1 : whole(options.from, "--from");
  const { items, size, position } = await admin<Checked>("GET", `/evidence-log/differences?from=${from}`);
  const count = items.length === 1 ? "one difference" : `${items.length} differences`;
  const differences = [...items, `${count} between the journal and its evidence log`].join("\n");
  print(
    output,
    { differences: items, size, position },
    items.length > 0 ? differences : `the journal is what was sealed: ${size} entries up to position ${position}`,
  );
  return items.length > 0 ? 1 : 0;
}
