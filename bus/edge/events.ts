/** What the face of MConnect Events asks of the bus: to take events of a producer, and to hand events to consumers of a group. */

/** Bytes of one event in the JSON format, as it comes and as it is handed out. */
export const EVENT_BYTES = 65_536;

/** One event of a producer, its attributes checked by their form. */
export type EventIn = Readonly<{
  id: string;
  source: string;
  type: string;
  subject?: string;
  /** RFC 3339, as it was sent. */
  time?: string;
  partitionKey?: string;
  /** The other attributes, by name. */
  more: Readonly<Record<string, string>>;
  /** JSON of `data`. */
  data: Uint8Array;
}>;

/** One event on its way to a consumer. Offsets grow within one session. */
export type EventOut = Readonly<{
  offset: number;
  attributes: Readonly<Record<string, string>>;
  /** JSON. */
  data: string;
}>;

/** What a consumer wants: which kinds, for which of its groups. */
export type Wish = Readonly<{ group: string; events: boolean; test: boolean; dead: boolean }>;

/**
 * A consumer at work. What it took and did not confirm comes again to the group when it leaves, however it left. It holds at most a
 * thousand unconfirmed events and 4 MiB of them; then `take` waits for a confirmation.
 */
export interface EventSession {
  /** Waits for at least one event; none when the signal aborts first. Throws why the session ended. */
  take(most: number, bytes: number, signal: AbortSignal): Promise<readonly EventOut[]>;
  /** All up to this offset are done; resolves when that is durable. Throws http-request for an offset that was never handed out. */
  confirm(offset: number): Promise<void>;
  /** Puts an event of the group aside; it stays unconfirmed. Throws not-found for what the consumer never got. */
  dead(event: Pick<EventIn, "id" | "source" | "type">): Promise<void>;
  /** Aborted, with a BusError, when the bus ended the session. */
  readonly ended: AbortSignal;
  leave(): Promise<void>;
}

export type EventSettings = Readonly<{
  system: string;
  produces: readonly Readonly<{ type: string; contract: string; sources: readonly string[]; grant: string }>[];
  consumes: readonly Readonly<{ type: string; contract: string; grant: string; fields?: readonly string[] }>[];
  groups: readonly string[];
}>;

export interface EventDesk {
  /** Takes all of them in one durable write, or none. Throws a BusError that names the first bad one. */
  produce(system: string | undefined, events: readonly EventIn[]): Promise<void>;
  /** Throws access-denied, inlet-busy (too many consumers, or another process serves the group) and bus-stopping. */
  consume(system: string | undefined, wish: Wish): Promise<EventSession>;
  /** Sends an event to the caller's own consumers that asked for test events. */
  test(system: string | undefined, event: EventIn): Promise<void>;
  settings(system: string | undefined): Promise<EventSettings>;
  /** Ends every session. */
  close(): Promise<void>;
}
