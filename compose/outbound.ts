/** What the bus may call, from its settings. */
import { createGuard, type Guard } from "#adapters/web/outbound.ts";
import type { Settings } from "#config/settings.ts";

/** Throws `configuration` where MBUS_OUTBOUND names something that is neither `http` nor a network. */
export function outboundGuard({ outbound }: Pick<Settings, "outbound">): Guard {
  return createGuard({ http: outbound.includes("http"), networks: outbound.filter((one) => one !== "http") });
}
