/** What the embedded engine is and what its ports promise; the conformance suites read the features. */

/** A promise that an engine may leave out; each one left out must be named with a reason. */
export const FEATURES = {
  journal: ["durable", "dedupe", "search", "restart"],
  transport: ["durable", "ordered", "groups", "durable-wait", "request", "restart", "shared-log"],
  store: ["unique", "version", "range", "blobs", "restart"],
} as const;
