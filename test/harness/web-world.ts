/** Worlds of inlets that are an address of the web host: a host on a free port, and messages sent to it as the outside would. */
import { createWebHost, type RunningWebHost } from "#adapters/web/host.ts";
import type { Inlet } from "#bus/ports.ts";
import type { EdgeLimits, WebHost } from "#bus/wire.ts";
import type { Answer, InletOptions, InletWorld } from "#test/conformance/inlet.ts";

/** A host for callers on this machine who name themselves by X-System. */
export function openTestHost(drainTimeout = 100): Promise<RunningWebHost> {
  const http = { host: "127.0.0.1", port: 0 };
  return createWebHost({ http, samples: true, identify: ({ header }) => header, maxBytes: 100_000, drainTimeout });
}

export type WebWorldOptions = Readonly<{
  inlet(at: Readonly<{ host: WebHost; path: string; limits: EdgeLimits; drain: number }>): Inlet;
  mediaType: string;
  bodies: Readonly<Record<"good" | "broken", string>>;
}>;

/** `open` of the conformance suite for such an inlet. */
export function webWorld(options: WebWorldOptions): InletOptions["open"] {
  return async ({ drain, maxInFlight }): Promise<InletWorld> => {
    const host = await openTestHost();
    const inlet = options.inlet({ host, path: "/echo", limits: { maxBytes: 100_000, maxInFlight }, drain });
    return {
      inlet,
      send: (kind) => post(`${host.address.http}/echo`, options.mediaType, options.bodies[kind]),
      close: () => host.close(),
    };
  };
}

async function post(url: string, mediaType: string, body: string): Promise<Answer> {
  const response = await fetch(url, { method: "POST", headers: { "content-type": mediaType }, body });
  const headers = [...response.headers].map(([name, value]) => `${name}: ${value}`).join("\n");
  return { ok: response.ok, text: `${response.status}\n${headers}\n${await response.text()}` };
}
