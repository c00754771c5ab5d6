/** `mbus call` and `mbus publish`: send a message as a sample system, over the wire like any other. */
import { readFileSync } from "node:fs";
import { fetchOr, detail, place } from "./client.ts";
import { CommandFailed, print, type Output } from "./output.ts";

export type CallOptions = Readonly<{
  as: string;
  data: string;
  user?: string;
  entity?: string;
  basis?: string;
  reason?: string;
  id?: string;
}>;

/** POSTs the JSON file to the contract's JSON face; works in samples mode, where a header names the system. */
export async function call(output: Output, contract: string, options: CallOptions): Promise<number> {
  const context = { CallingUser: options.user, CallingEntity: options.entity, CallBasis: options.basis, CallReason: options.reason };
  const headers: Record<string, string> = { "content-type": "application/json", "x-system": options.as };
  for (const [name, value] of Object.entries(context)) if (value !== undefined) headers[name] = value;
  if (options.id !== undefined) headers["x-message-id"] = options.id;
  const response = await fetchOr(`${place().http}/mconnect/rest/${encodeURIComponent(contract)}`, {
    method: "POST",
    headers,
    body: read(options.data),
  });
  const text = await response.text();
  if (!response.ok) throw new CommandFailed(detail(text, response.status));
  const value: unknown = JSON.parse(text);
  print(output, value, JSON.stringify(value, null, 2));
  return 0;
}

function read(file: string): string {
  try {
    return readFileSync(file === "-" ? 0 : file, "utf8");
  } catch (cause) {
    throw new CommandFailed(`cannot read --data ${file}: ${cause instanceof Error ? cause.message : String(cause)}`, 2);
  }
}
