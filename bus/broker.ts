/**
 * What the bus needs from an outside message broker (NATS JetStream, RabbitMQ). The journal is the truth: a relay gives the broker
 * what the journal holds, and each group checks by positions that it got everything, in order. So a broker may repeat, reorder after
 * a reconnect, or lose what it confirmed: that costs time, never a message and never an order. See docs/decisions/0007-brokers.md.
 */
import type { Envelope } from "./envelope.ts";
import type { Subscription } from "./ports.ts";

/** One of the equal parts of a topic; all messages of one key lie in one. From 0. */
export type Partition = number;

/** The place that messages of one consumer group and partition are taken from: a JetStream consumer, a quorum queue. */
export type Lane = Readonly<{ topic: string; group: string; partition: Partition }>;

/** A message on its way. */
export type Carried = Readonly<{
  envelope: Envelope;
  /** Position of its record in the journal. */
  position: number;
  /** Position of the message before it in the same topic and partition; 0 = there is none, -1 = the sender does not know. */
  after: number;
}>;

/** A message that the broker handed out. Until it is settled it counts against the window; unsettled ones come again after a lost connection. */
export type Taken = Carried &
  Readonly<{
    /** The broker handed it out before, or may have. */
    redelivered: boolean;
    /** Done with: never again. Idempotent; does nothing after the connection it came by is lost. */
    settle(): void;
  }>;

export interface Taking {
  /** No more is handed out within two seconds; what was handed out stays so. */
  pause(paused: boolean): void;
  /** Unsettled messages go back to the broker. Idempotent. */
  close(): Promise<void>;
}

/** A state of the engine that can lose or stop messages. Start-up refuses it unless the configuration waives it in words. */
export type Hazard = Readonly<{
  /** Name that a waiver uses, for example `nats.sync`. */
  setting: string;
  /** What was found, what can happen, and what to change, each one sentence. */
  found: string;
  danger: string;
  change: string;
}>;

/**
 * A broker. Every topic and group name is encoded by the adapter before it enters a subject or routing key. All calls keep working
 * through reconnects: they wait, bounded, and fail with `transport-unavailable` when the broker stays away; a closed broker
 * refuses with `bus-stopping`.
 */
export interface Broker {
  readonly name: "nats" | "amqp" | "memory";
  /** Messages that may be on their way unconfirmed at once; the relay keeps below it. */
  readonly window: number;
  /** Resolves when the broker confirmed that it holds the message durably for every lane of the topic and partition that exists. */
  send(topic: string, partition: Partition, message: Carried): Promise<void>;
  /** Makes the lane where it does not exist (it then gets what is sent from now on) and takes from it, at most `window` unsettled. */
  take(lane: Lane, window: number, handler: (message: Taken) => void): Promise<Taking>;
  /** Messages that the broker still holds for a lane, handed out or not; undefined where it cannot tell. */
  depth(lane: Lane): Promise<number | undefined>;
  /** The lane and all it holds are gone, whether it was there or not. Nobody takes from it. */
  forget(lane: Lane): Promise<void>;
  /** Sends to one responder of the topic and waits for its answer. Fails with endpoint-unreachable, attempt-timeout or the responder's error. */
  request(topic: string, envelope: Envelope, timeout: number): Promise<Envelope>;
  respond(topic: string, handler: (envelope: Envelope) => Promise<Envelope>): Promise<Subscription>;
  /** Called after each new connection: what was unconfirmed or unsettled before may be lost or come again. */
  onReconnect(listener: () => void): void;
  /** Looks at the server's settings and at what exists of ours. */
  hazards(): Promise<readonly Hazard[]>;
  close(): Promise<void>;
}
