/** Messages for tests: a whole envelope with only what a test cares about written out. */
import type { AvroRecord, Envelope, Message } from "#bus/envelope.ts";

export function messageOf(value: AvroRecord, envelope: Partial<Envelope> = {}): Message {
  return {
    value,
    envelope: {
      id: "m-1",
      source: "taxoffice/erp",
      type: "mbus.test.echo.v1",
      time: Date.UTC(2026, 4, 4, 9),
      correlationId: "c-1",
      contract: "test.echo.v1",
      call: {},
      headers: {},
      body: new Uint8Array(0),
      ...envelope,
    },
  };
}
