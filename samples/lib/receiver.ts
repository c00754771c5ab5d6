/** Takes CloudEvents over HTTP in binary mode (CloudEvents 1.0 HTTP binding), each one once. */
import { json, type Received, type Reply } from "./host.ts";
import type { Ledger } from "./ledger.ts";

export type Event = Readonly<{
  id: string;
  source: string;
  type: string;
  subject: string | undefined;
  data: Readonly<Record<string, unknown>>;
}>;

/** 202 for a new event, 200 for a repeated one; `refuse` gives the reason not to take it at all (422). */
export function receiver(ledger: Ledger, refuse: (event: Event) => string | undefined): (received: Received) => Reply {
  return (received) => {
    const event = read(received);
    if (typeof event === "string") return json(400, { error: event });
    const reason = refuse(event);
    if (reason !== undefined) return json(422, { error: reason });
    const entered = ledger.enter(`${event.source} ${event.id}`, event.type, { id: event.id, data: event.data }, (number) => number);
    return json(entered.first ? 202 : 200, { number: entered.answer, repeated: !entered.first });
  };
}

function read({ headers, body }: Received): Event | string {
  const attribute = (name: string): string | undefined => {
    const value = headers[`ce-${name}`];
    return typeof value === "string" && value !== "" ? value : undefined;
  };
  const [id, source, type] = [attribute("id"), attribute("source"), attribute("type")];
  if (id === undefined || source === undefined || type === undefined) return "ce-id, ce-source and ce-type are required";
  if (attribute("specversion") !== "1.0") return "ce-specversion must be 1.0";
  if (!(headers["content-type"] ?? "").startsWith("application/json")) return "the data must be application/json";
  try {
    const data: unknown = JSON.parse(body);
    if (typeof data !== "object" || data === null || Array.isArray(data)) return "the data must be a JSON object";
    return { id, source, type, subject: attribute("subject"), data: data as Readonly<Record<string, unknown>> };
  } catch {
    return "the data is not JSON";
  }
}
