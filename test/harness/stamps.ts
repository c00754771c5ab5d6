/** A time-stamping authority as tests need it: its own keys, a clock that is given, and a switch for its outages. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openKeys } from "#adapters/keys/ca.ts";
import { createStampAuthority } from "#adapters/keys/stamp-authority.ts";
import { createStampClient } from "#adapters/keys/stamp-client.ts";
import { BusError } from "#bus/errors.ts";
import type { TimeStamps } from "#bus/ports.ts";

export type TestAuthority = Readonly<{
  stamps: TimeStamps;
  /** Certificate of its authority, PEM. */
  ca: string;
  /** Requests so far. */
  asked(): number;
  /** It answers nothing while it is away. */
  away(away: boolean): void;
}>;

export async function stampAuthority(now: () => number): Promise<TestAuthority> {
  const folder = mkdtempSync(join(tmpdir(), "stamps-"));
  const keys = await openKeys(folder);
  const pair = await keys.stamps();
  rmSync(folder, { recursive: true });
  const answer = createStampAuthority(pair, now);
  let asked = 0;
  let isAway = false;
  const client = {
    request: (call: Readonly<{ body: Uint8Array }>) => {
      asked++;
      if (isAway) return Promise.reject(new BusError("endpoint-unreachable", "the authority is away"));
      return Promise.resolve({ status: 200, headers: {}, body: answer(call.body) });
    },
    close: () => Promise.resolve(),
  };
  return {
    stamps: createStampClient({ client, url: "http://tsa.example/", trusted: [keys.ca], now }),
    ca: keys.ca,
    asked: () => asked,
    away: (away) => void (isAway = away),
  };
}
