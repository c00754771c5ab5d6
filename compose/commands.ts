/** `/mconnect/commands/<ticket>`: how a command ended, for the system that sent it and no other. */
import type { Bus } from "#bus/bus.ts";
import { asBusError, CLASSES } from "#bus/errors.ts";
import type { WebHost, WebResponse } from "#bus/wire.ts";

const PREFIX = "/mconnect/commands/";

export function mountCommands(host: WebHost, bus: Bus): void {
  const json = (status: number, type: string, value: unknown, headers: Record<string, string> = {}): WebResponse => ({
    status,
    headers: { "content-type": type, ...headers },
    body: JSON.stringify(value),
  });
  host.mount("systems", PREFIX, async (request) => {
    try {
      const ticket = await bus.commands.ticket(bus.view().routes, request.path.slice(PREFIX.length), request.system);
      return ticket.state === "pending"
        ? json(202, "application/json", ticket, { "retry-after": "2" })
        : json(200, "application/json", ticket);
    } catch (thrown) {
      const error = asBusError(thrown);
      const status = error.code === "not-found" ? 404 : CLASSES[error.class].http;
      return json(status, "application/problem+json", {
        type: `urn:mconnect-bus:error:${error.code}`,
        title: error.code,
        status,
        detail: error.message,
      });
    }
  });
}
