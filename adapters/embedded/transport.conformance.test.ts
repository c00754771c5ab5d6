import { embeddedWorld } from "#test/conformance/embedded-world.ts";
import { transportSuite } from "#test/conformance/transport.ts";
import { FEATURES } from "./spec.ts";

transportSuite("embedded", FEATURES.transport, () => embeddedWorld((engine) => engine.transport));
