import { describe, expect, it } from "vitest";
import { createMemoryPorts } from "#test/harness/memory.ts";
import { messageOf } from "#test/harness/message.ts";
import { typeOf } from "#test/harness/route.ts";
import { createVirtualClock } from "#test/harness/virtual-clock.ts";
import { BusError } from "./errors.ts";
import { createTopicOutlet } from "./topic-outlet.ts";

function setup(known = true) {
  const clock = createVirtualClock();
  const { journal } = createMemoryPorts(clock);
  const outlet = createTopicOutlet({
    journal,
    clock,
    route: "r",
    contract: "audit.person.v1",
    type: () => (known ? typeOf("audit.person.v1") : undefined),
  });
  const send = (headers: Record<string, string> = {}, id = "m-1") =>
    outlet.send(messageOf({ n: 1 }, { id, source: "a/b", headers }), new AbortController().signal);
  return { journal, send };
}

describe("the outlet to a topic", () => {
  it("publishes in one durable record, under the topic's own contract, with its cause", async () => {
    const { journal, send } = setup();
    await send();
    expect(journal.records).toHaveLength(1);
    expect(journal.records[0]).toMatchObject({
      step: "accepted",
      topic: "mbus.audit.person.v1",
      contract: "audit.person.v1",
      id: "m-1",
      envelope: { type: "mbus.audit.person.v1", causationId: "m-1" },
    });
  });

  it("publishes a message that comes again after a crash once", async () => {
    const { journal, send } = setup();
    await send();
    await send();
    await send({}, "m-2");
    expect(journal.records.map(({ id }) => id)).toEqual(["m-1", "m-2"]);
  });

  it("publishes a replay again, once for each replay", async () => {
    const { journal, send } = setup();
    await send();
    await send({ "mbus-replay": "job-1" });
    await send({ "mbus-replay": "job-1" });
    await send({ "mbus-replay": "job-2" });
    expect(journal.records).toHaveLength(3);
  });

  it("says when the topic is no contract", async () => {
    const { send } = setup(false);
    await expect(send()).rejects.toBeInstanceOf(BusError);
    await expect(send()).rejects.toMatchObject({ code: "contract-unknown" });
  });
});
