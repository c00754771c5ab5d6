import { embeddedWorld } from "#test/conformance/embedded-world.ts";
import { storeSuite } from "#test/conformance/store.ts";
import { FEATURES } from "./spec.ts";

storeSuite("embedded", FEATURES.store, () => embeddedWorld((engine) => engine.store));
