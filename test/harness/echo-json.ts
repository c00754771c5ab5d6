/** A codec of `{ "text": … }`, strict enough to tell good from broken. */
import { BusError } from "#bus/errors.ts";
import type { Codec } from "#bus/wire.ts";

export const echoJson: Codec = {
  mediaType: "application/json",
  read(bytes) {
    let value: unknown;
    try {
      value = JSON.parse(Buffer.from(bytes).toString("utf8"));
    } catch (error) {
      throw new BusError("json-malformed", "the document is not JSON", { cause: error });
    }
    if (typeof value !== "object" || value === null || !("text" in value))
      throw new BusError("json-violation", "text is missing", { places: [{ path: "text", rule: "required", text: "is missing" }] });
    return { ...value };
  },
  write: (value) => Buffer.from(JSON.stringify(value)),
};
