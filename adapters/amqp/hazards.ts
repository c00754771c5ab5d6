/**
 * What is found on the broker that can lose or stop messages. The protocol does not tell a queue's settings, but refuses to declare
 * one that exists with others, and says which setting differs.
 */
import type { ChannelModel, ConfirmChannel } from "amqplib";
import type { Hazard, Lane } from "#bus/broker.ts";
import { asBusError } from "#bus/errors.ts";
import { openChannel, shut } from "./channel.ts";
import type { Names } from "./names.ts";
import { declareBase, declareLane, versionOf, type Version } from "./topology.ts";

/** Looks at the server, the exchanges and these lanes; makes what does not exist. */
export async function findHazards(model: ChannelModel, names: Names, lanes: readonly Lane[]): Promise<readonly Hazard[]> {
  const found: Hazard[] = [];
  const attempt = async (what: string, act: (channel: ConfirmChannel) => Promise<unknown>): Promise<void> => {
    const channel = await openChannel(model, () => undefined);
    try {
      await act(channel);
    } catch (error) {
      const hazard = hazardOf(what, error);
      if (hazard === undefined) throw error;
      found.push(hazard);
    } finally {
      await shut(channel);
    }
  };
  await attempt(`the exchange or queue ${names.dead}`, async (channel) => {
    found.push(...versionHazards(versionOf(channel)));
    await declareBase(channel, names);
  });
  for (const lane of lanes) {
    const before = found.length;
    const what = `the queue ${names.lane(lane)}`;
    await attempt(what, (channel) => declareLane(channel, names, lane));
    if (found.length === before) continue;
    // The server names one difference only; the kind of queue is the one that matters most, so it is asked for alone.
    const kind = { durable: true, arguments: { "x-queue-type": "quorum" } };
    await attempt(what, (channel) => channel.assertQueue(names.lane(lane), kind));
    const [first, second] = found.splice(before);
    found.push(...[second?.setting === "amqp.quorum" ? second : first].filter((hazard) => hazard !== undefined));
  }
  return found;
}

export function versionHazards(version: Version): readonly Hazard[] {
  const { product, major, minor, text } = version;
  if (product !== "RabbitMQ")
    return [
      {
        setting: "amqp.product",
        found: `The server calls itself ${text}.`,
        danger: "Another server than RabbitMQ may have no quorum queues and confirm what is only in memory.",
        change: "Use RabbitMQ 3.10 or later.",
      },
    ];
  if (major > 3 || (major === 3 && minor >= 10)) return [];
  return [
    {
      setting: "amqp.version",
      found: `The server is ${text}.`,
      danger: "Before 3.10 a message that the broker gives up can be lost on its way to the dead queue.",
      change: "Upgrade to RabbitMQ 3.10 or later.",
    },
  ];
}

/** The hazard that a refused declaration shows; undefined = it was refused for another reason. */
export function hazardOf(what: string, error: unknown): Hazard | undefined {
  const text = asBusError(error).message;
  if (!/PRECONDITION[_-]FAILED/u.test(text)) return undefined;
  const argument = /inequivalent arg '([^']+)'/u.exec(text)?.[1] ?? "";
  const seen = `There is ${what} with another setting${argument === "" ? "" : ` of ${argument}`} than ours: ${text.slice(0, 300)}.`;
  const change = "Delete it on the broker (its messages are still in the journal), or change what made it so; the bus makes it anew.";
  if (argument === "x-queue-type" || argument === "durable")
    return {
      setting: "amqp.quorum",
      found: seen,
      danger: "Only a quorum queue holds a confirmed message on the disks of a majority.",
      change,
    };
  if (argument.startsWith("x-dead-letter") || argument === "x-overflow")
    return { setting: "amqp.dead-letter", found: seen, danger: "A message that the broker gives up is thrown away.", change };
  if (argument === "x-delivery-limit")
    return { setting: "amqp.delivery-limit", found: seen, danger: "The broker gives messages up before the bus has tried enough.", change };
  return { setting: "amqp.topology", found: seen, danger: "Messages may go elsewhere, wait, or be thrown away.", change };
}
