/**
 * The mainframe of the State Transport Register (asp/vehicles): knows no network, only writes files into its drop folder.
 *
 *   POST /ui/nightly   writes one night's file: {"day"?, "first"?, "count"?, "format"?: "xml"|"csv", "gzip"?}
 *
 * The line on stdout also names the drop folder.
 */
import { resolve } from "node:path";
import { json, serve, surroundings, type Received, type Reply } from "../lib/host.ts";
import { writeNight, type Night } from "./files.ts";

const { data, port } = surroundings();
const drop = resolve(process.env["SAMPLE_DROP"] ?? `${data}/out`);

await serve("asp/vehicles", port, { "POST /ui/nightly": nightly }, () => undefined, { drop });

async function nightly({ body }: Received): Promise<Reply> {
  const asked = JSON.parse(body === "" ? "{}" : body) as Partial<Night>;
  const day = asked.day ?? new Date().toISOString().slice(0, 10);
  if (!/^\d{4}-\d{2}-\d{2}$/u.test(day)) return json(400, { error: "day must be yyyy-mm-dd" });
  const night: Night = { first: 0, count: 25, format: "xml", gzip: false, ...asked, day };
  return json(200, { file: await writeNight(drop, night), records: night.count });
}
