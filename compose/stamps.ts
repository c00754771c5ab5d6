/** The time-stamping authority of this bus: the one that the settings name, or the development one, asked over its own HTTP face. */
import { readFile } from "node:fs/promises";
import type { Keys } from "#adapters/keys/ca.ts";
import { createStampAuthority } from "#adapters/keys/stamp-authority.ts";
import { createStampClient } from "#adapters/keys/stamp-client.ts";
import { BusError } from "#bus/errors.ts";
import type { Clock, TimeStamps } from "#bus/ports.ts";
import type { WebClient, WebHost } from "#bus/wire.ts";
import type { Settings } from "#config/settings.ts";

export type StampAuthorityParts = Readonly<{
  settings: Pick<Settings, "tsaUrl" | "tsaCa">;
  keys: Pick<Keys, "ca" | "stamps">;
  host: WebHost;
  /** Address of the administration's face. */
  own: string;
  client: WebClient;
  clock: Clock;
}>;

const PATH = "/tsa";

/** Undefined = the settings switch time-stamps off. */
export async function stampAuthority(parts: StampAuthorityParts): Promise<TimeStamps | undefined> {
  const { settings, keys, client, clock } = parts;
  const now = (): number => clock.now();
  if (settings.tsaUrl === "off") return undefined;
  if (settings.tsaUrl !== undefined)
    return createStampClient({ client, url: settings.tsaUrl, trusted: await authorities(settings.tsaCa), now });
  const answer = createStampAuthority(await keys.stamps(), now);
  parts.host.mount("admin", PATH, (request) =>
    Promise.resolve(
      request.method === "POST"
        ? { status: 200, headers: { "content-type": "application/timestamp-reply" }, body: answer(request.body) }
        : { status: 405, headers: { allow: "POST", "content-type": "text/plain; charset=utf-8" }, body: "POST an RFC 3161 request.\n" },
    ),
  );
  return createStampClient({ client, url: `${parts.own}${PATH}`, trusted: [keys.ca], now });
}

async function authorities(file: string | undefined): Promise<readonly string[]> {
  const path = file ?? "";
  const text = await readFile(path, "utf8").catch((cause: unknown) => {
    throw new BusError("configuration", `MBUS_TSA_CA=${path} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
  });
  const found = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/gu) ?? [];
  if (found.length === 0) throw new BusError("configuration", `MBUS_TSA_CA=${path} holds no certificate in PEM`);
  return found;
}
