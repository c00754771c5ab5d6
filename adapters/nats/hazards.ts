/** What of the server's state can lose or stop messages, in sentences for the administrator. */
import { DiscardPolicy, RetentionPolicy, StorageType, type StreamInfo } from "@nats-io/jetstream";
import type { Hazard } from "#bus/broker.ts";
import type { Link } from "./connect.ts";
import { clustered, type Streams } from "./streams.ts";

const LATE = "The journal sends lost messages again, so that they come late; commands and events wait until then.";

export async function findHazards(link: Link, streams: Streams): Promise<readonly Hazard[]> {
  const info = await streams.info();
  return [...unsynced(link), ...(info ? ofStream(info, clustered(link)) : [])];
}

function unsynced(link: Link): Hazard[] {
  if (link.settings.sync === "always") return [];
  const version = link.nc.info?.version ?? "of unknown version";
  return [
    {
      setting: "nats.sync",
      found: `The server (${version}) may confirm messages before they are on disk: it writes them out every two minutes unless told otherwise, and does not tell which.`,
      danger: `A power cut can lose messages that it confirmed. ${LATE}`,
      change:
        "Set sync_interval: always in the jetstream block of every server (2.10 and later), then tell the bus so with NATS_SYNC=always.",
    },
  ];
}

function ofStream({ config }: StreamInfo, cluster: boolean): Hazard[] {
  const found: Hazard[] = [];
  const { name } = config;
  if (config.storage !== StorageType.File)
    found.push({
      setting: "nats.storage",
      found: `The stream ${name} lies in memory.`,
      danger: `A restart of the server loses what it holds. ${LATE}`,
      change: `Delete the stream ${name}: the bus makes it anew, with file storage.`,
    });
  if (config.discard !== DiscardPolicy.New)
    found.push({
      setting: "nats.discard",
      found: `The stream ${name} throws its oldest messages away when it is full.`,
      danger: `A lane that is behind loses messages that it did not see. ${LATE}`,
      change: `Set discard: new for the stream ${name}.`,
    });
  if (config.retention !== RetentionPolicy.Interest)
    found.push({
      setting: "nats.retention",
      found: `The stream ${name} keeps messages that every lane has settled.`,
      danger: "It fills up with messages nobody waits for, and then new ones are refused.",
      change: `Delete the stream ${name}: the bus makes it anew, with interest retention.`,
    });
  if (cluster && config.num_replicas < 3)
    found.push({
      setting: "nats.replicas",
      found: `The stream ${name} has ${config.num_replicas} of 3 copies in a cluster.`,
      danger: "When the one server that has it is away, commands and events wait.",
      change: `Set replicas: 3 for the stream ${name}.`,
    });
  return found;
}
