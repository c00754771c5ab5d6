/** `mbus pause|resume ROUTE`. */
import { admin } from "./client.ts";
import { print, type Output } from "./output.ts";

export async function pause(
  output: Output,
  route: string,
  paused: boolean,
  act: Readonly<{ operator: string; reason: string }>,
): Promise<number> {
  await admin("POST", `/routes/${encodeURIComponent(route)}/pauses`, { paused, operator: act.operator, reason: act.reason });
  print(output, { route, paused }, `route ${route} ${paused ? "is paused" : "goes on"}`);
  return 0;
}
