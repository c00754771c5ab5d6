/**
 * OAuth 2.0 client credentials (RFC 6749 §4.4): one token for all calls of an outlet, one request for it at a time. A token near its end
 * is used while the next one is fetched; one that was refused is not used again.
 */
import { asBusError, BusError } from "#bus/errors.ts";
import type { Clock } from "#bus/ports.ts";
import type { Authorization, WebClient, WebReply } from "#bus/wire.ts";

export type OAuthSettings = Readonly<{
  client: WebClient;
  clock: Clock;
  /** Address of the token endpoint. */
  token: string;
  id: string;
  secret: string;
  scope: string | undefined;
  audience: string | undefined;
  /** Where id and secret stand: the Authorization header (the default of the RFC) or the form. */
  credentials: "basic" | "body";
}>;

type Token = Readonly<{ header: string; refreshAt: number; endsAt: number }>;

/** Milliseconds: of one request, that a refusal is remembered, and before its end in which a token is not used. */
const PATIENCE = 10_000;
const REFUSED = 1_000;
const SPARE = 5_000;
const USUAL_LIFE = 300;
const LONGEST_LIFE = 86_400;

export function createTokens(settings: OAuthSettings): Authorization {
  const { clock } = settings;
  let token: Token | undefined;
  let running: Promise<Token> | undefined;
  let refusal: Readonly<{ error: BusError; until: number }> | undefined;
  const fetchOne = (): Promise<Token> => {
    if (refusal && clock.now() < refusal.until) return Promise.reject(refusal.error);
    running ??= request(settings)
      .then((fresh) => (token = fresh))
      .catch((thrown: unknown) => {
        const error = asBusError(thrown);
        refusal = { error, until: clock.now() + REFUSED };
        throw error;
      })
      .finally(() => (running = undefined));
    return running;
  };
  return {
    async header(signal) {
      const now = clock.now();
      if (token && now < token.endsAt) {
        if (now >= token.refreshAt) fetchOne().catch(() => undefined);
        return token.header;
      }
      return (await withSignal(fetchOne(), signal)).header;
    },
    refused(header) {
      if (token?.header === header) token = undefined;
    },
  };
}

/** The request goes on for the others when one caller has no more time. */
async function withSignal<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const given = Promise.withResolvers<never>();
  const abort = (): void =>
    given.reject(
      signal.reason instanceof BusError ? signal.reason : new BusError("attempt-timeout", "no token of the authorization server in time"),
    );
  if (signal.aborted) abort();
  signal.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([work, given.promise]);
  } finally {
    signal.removeEventListener("abort", abort);
    work.catch(() => undefined);
  }
}

async function request(settings: OAuthSettings): Promise<Token> {
  const { client, clock, id, secret, scope, audience, credentials } = settings;
  const form = new URLSearchParams({ grant_type: "client_credentials" });
  if (scope !== undefined) form.set("scope", scope);
  if (audience !== undefined) form.set("audience", audience);
  const headers: Record<string, string> = { accept: "application/json", "content-type": "application/x-www-form-urlencoded" };
  if (credentials === "basic") headers["authorization"] = `Basic ${Buffer.from(`${formText(id)}:${formText(secret)}`).toString("base64")}`;
  else {
    form.set("client_id", id);
    form.set("client_secret", secret);
  }
  const asked = clock.now();
  const call = { method: "POST", url: settings.token, headers, body: Buffer.from(form.toString()), maxBytes: 65_536 };
  const patience = new AbortController();
  const timer = setTimeout(() => patience.abort(), PATIENCE);
  try {
    return readToken(await client.request(call, patience.signal), asked);
  } finally {
    clearTimeout(timer);
  }
}

/** Encoded before it is joined (RFC 6749 §2.3.1): a colon in an id would move the border. */
const formText = (text: string): string => new URLSearchParams({ x: text }).toString().slice(2);

function readToken(reply: WebReply, asked: number): Token {
  const answer = json(reply);
  if (reply.status !== 200) {
    // only the RFC's own words are told on: the rest may repeat what was sent
    const word = typeof answer["error"] === "string" && /^[a-z_]{1,40}$/u.test(answer["error"]) ? answer["error"] : `HTTP ${reply.status}`;
    if (reply.status >= 500)
      throw new BusError("endpoint-unavailable", `the authorization server gives no token (${word})`, {
        providerCode: String(reply.status),
      });
    throw new BusError("configuration", `the authorization server refuses the client (${word}); look at \`oauth\` of the route`, {
      providerCode: word,
    });
  }
  const { access_token: text, token_type: type, expires_in: life = USUAL_LIFE } = answer;
  if (typeof text !== "string" || !/^[\x21-\x7e]{1,8192}$/u.test(text) || typeof type !== "string" || type.toLowerCase() !== "bearer")
    throw new BusError("provider-reply-invalid", "the authorization server gave no bearer token");
  const seconds = Math.min(Math.max(Number(life) || 0, 0), LONGEST_LIFE);
  const endsAt = asked + Math.max(seconds * 1000 - SPARE, 0);
  return { header: `Bearer ${text}`, endsAt, refreshAt: endsAt - Math.min(60_000, seconds * 100) };
}

function json(reply: WebReply): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(Buffer.from(reply.body).toString("utf8"));
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
