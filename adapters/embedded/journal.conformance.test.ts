import { embeddedWorld } from "#test/conformance/embedded-world.ts";
import { journalSuite } from "#test/conformance/journal.ts";
import { FEATURES } from "./spec.ts";

journalSuite("embedded", FEATURES.journal, () => embeddedWorld((engine) => engine.journal));
journalSuite("embedded, with tiny index runs", FEATURES.journal, () =>
  embeddedWorld((engine) => engine.journal, { limits: { runRecords: 50, cacheBytes: 4_096 } }),
);
