/** A refusal of the faces that the composition mounts itself, as a problem document (RFC 9457). */
import { CLASSES, type BusError } from "#bus/errors.ts";
import type { WebResponse } from "#bus/wire.ts";

/** What is not there is 404 here, unlike inside the flow, where it is a failure of the bus. */
export function problemOf(
  error: BusError,
  status = error.code === "not-found" ? 404 : CLASSES[error.class].http,
  instance?: string,
): WebResponse {
  return {
    status,
    headers: { "content-type": "application/problem+json" },
    body: JSON.stringify({ type: `urn:mconnect-bus:error:${error.code}`, title: error.code, status, detail: error.message, instance }),
  };
}
