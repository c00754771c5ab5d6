/** Structured logs (pino): technical facts only; identifiers of people, tokens and payloads are never logged. */
import { pino } from "pino";

export type Log = Pick<ReturnType<typeof pino>, "info" | "warn" | "error">;

export function createLog(level: string): Log {
  return pino(
    {
      level,
      base: { service: "mbus" },
      timestamp: pino.stdTimeFunctions.isoTime,
      redact: { paths: ["*.authorization", "*.token", "*.body", "err.cause"], censor: "***" },
    },
    pino.destination({ fd: 2, sync: false }),
  );
}
