import type { Builder } from "./parts.ts";

/** Wire tap: a copy with the allowed fields goes to a topic beside the flow; it can neither fail nor slow the flow. */
export const tap: Builder<"tap"> = (doc, parts) => ({
  name: "tap",
  place: parts.place(doc.path),
  run(message, context) {
    context.tap(doc.topic, message, doc.fields);
    return { kind: "next", message };
  },
});
