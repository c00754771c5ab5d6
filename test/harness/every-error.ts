/** One error of each code of the bus, with everything an error can hold, for the tables of what a protocol makes of it. */
import { BusError, CODES, type ErrorClass, type ErrorCode } from "#bus/errors.ts";

export const PLACE = { line: 3, column: 7, path: "/a/b", rule: "type int", text: "expected a whole number" };

export type OneError = Readonly<{ code: ErrorCode; kind: ErrorClass; meaning: string; error: BusError }>;

export const everyError: readonly OneError[] = (Object.keys(CODES) as ErrorCode[]).map((code) => ({
  code,
  kind: CODES[code][0],
  meaning: CODES[code][1],
  error: new BusError(code, `what happened: ${code}`, { places: [PLACE], providerCode: "P-1" }),
}));
