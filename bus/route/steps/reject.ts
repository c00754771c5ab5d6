import { BusError } from "../../errors.ts";
import type { Builder } from "./parts.ts";

/** Refuses the message with the administrator's code and words. */
export const reject: Builder<"reject"> = (doc, parts) => ({
  name: "reject",
  place: parts.place(doc.path),
  run() {
    throw new BusError("rejected-by-step", doc.reason, { providerCode: doc.code, places: [{ rule: doc.code, text: doc.reason }] });
  },
});
