/** WS-Addressing 1.0 (Core §3.2) of a reply that is pushed: which message it answers, in URIs that stay the same at every attempt. */

export type Addressing = Readonly<{ action: string; messageId: string; relatesTo: string }>;

const URI = /^[a-z][a-z0-9+.-]*:/iu;

/** A sender that gave a wsa:MessageID gets it back as it was; another id becomes a URI. */
export function replyAddressing(action: string, ticket: string): Addressing {
  return {
    action: action === "" ? "urn:mconnect-bus:reply" : action,
    messageId: `urn:mconnect-bus:reply:${encodeURIComponent(ticket)}`,
    relatesTo: URI.test(ticket) ? ticket : `urn:mconnect-bus:message:${encodeURIComponent(ticket)}`,
  };
}
