/** `/mconnect/commands/<ticket>`: how a command ended, for the system that sent it and no other. */
import type { Bus } from "#bus/bus.ts";
import { asBusError } from "#bus/errors.ts";
import type { WebHost, WebResponse } from "#bus/wire.ts";
import { problemOf } from "./problem.ts";

const PREFIX = "/mconnect/commands/";

export function mountCommands(host: WebHost, bus: Bus): void {
  const json = (status: number, value: unknown, headers: Record<string, string> = {}): WebResponse => ({
    status,
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(value),
  });
  host.mount("systems", PREFIX, async (request) => {
    try {
      const ticket = await bus.commands.ticket(bus.view().routes, request.path.slice(PREFIX.length), request.system);
      return ticket.state === "pending" ? json(202, ticket, { "retry-after": "2" }) : json(200, ticket);
    } catch (thrown) {
      return problemOf(asBusError(thrown));
    }
  });
}
