/** The suites' virtual clock is the one that route tests run on. */
export { createVirtualClock, type VirtualClock } from "#bus/route/testing/virtual-clock.ts";
