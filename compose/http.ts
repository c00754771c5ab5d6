/** The HTTP outlets of a branch, one for each address: who the bus is there, and what answers mean. */
import { createTokens } from "#adapters/http/oauth.ts";
import { createHttpOutlet } from "#adapters/http/outlet.ts";
import { createWebClient } from "#adapters/web/client.ts";
import type { Guard } from "#adapters/web/outbound.ts";
import { BusError } from "#bus/errors.ts";
import type { Clock, Outlet } from "#bus/ports.ts";
import type { Branch, Route } from "#bus/route/runtime.ts";
import { fillSecrets } from "#bus/route/schema/fill.ts";
import type { Authorization, Codec, HttpOutletSettings, WebClient } from "#bus/wire.ts";

/** As the spec of the adapter says; `auth` and `headers` are filled in already. */
type HttpOptions = Readonly<{
  method?: HttpOutletSettings["method"];
  query?: Readonly<Record<string, string>>;
  basic?: Readonly<{ user: string; password: string }>;
  oauth?: Readonly<{
    token: string;
    client: string;
    secret: string;
    scope?: string;
    audience?: string;
    credentials?: "basic" | "body";
  }>;
  tls?: Readonly<{ cert?: string; key?: string; ca?: string }>;
  status?: NonNullable<HttpOutletSettings["statuses"]>;
}>;

export type HttpParts = Readonly<{ client: WebClient; guard: Guard; clock: Clock; secret: (name: string) => string }>;
type Shared = Readonly<{ codec: Codec; headers: Readonly<Record<string, string>>; maxBytes: number }>;

/** Throws `configuration`: an address that may not be called, a missing secret, two ways to say who the bus is. */
export function httpOutlets(parts: HttpParts, route: Route, branch: Branch, { codec, headers, maxBytes }: Shared): readonly Outlet[] {
  const options = branch.binding.options as HttpOptions;
  const own = ownClient(parts, options);
  const client = own ?? parts.client;
  for (const address of [...branch.addresses, ...(options.oauth ? [options.oauth.token] : [])]) checkAddress(parts.guard, address);
  const authorization = authorizationOf(parts, options, client, headers);
  const { replyCodec } = branch.binding;
  const common = {
    client,
    method: options.method ?? "POST",
    pattern: route.contract.pattern,
    codec,
    replyCodec,
    headers,
    maxBytes,
    ...(options.query && { query: options.query }),
    ...(authorization && { authorization }),
    ...(options.status && { statuses: options.status }),
    ...(own && { owns: own }),
  };
  return branch.addresses.map((address) => createHttpOutlet({ ...common, address }));
}

/** A certificate or an authority of the provider's own needs connections of its own. */
function ownClient({ guard, secret }: HttpParts, { tls }: HttpOptions): WebClient | undefined {
  if (tls === undefined) return undefined;
  if ((tls.cert === undefined) !== (tls.key === undefined))
    throw new BusError("configuration", "`tls` of an address needs `cert` and `key`");
  const filled = Object.fromEntries(Object.entries(tls).map(([name, value]) => [name, fillSecrets(value, secret)]));
  return createWebClient({ tls: filled, guard });
}

/** Throws `configuration`. The host of a template has no fields, so what stands in its path does not matter here. */
export function checkAddress(guard: Guard, address: string): void {
  const plain = address.replace(/[{}]/gu, "");
  if (!URL.canParse(plain)) throw new BusError("configuration", "an endpoint's address must be a whole one, as in https://host/path");
  guard.check(new URL(plain));
}

function authorizationOf(
  { clock, secret }: HttpParts,
  { oauth, basic }: HttpOptions,
  client: WebClient,
  headers: Readonly<Record<string, string>>,
): Authorization | undefined {
  const ways = [oauth && "`oauth`", basic && "`basic`", headers["authorization"] !== undefined && "`auth`"].filter(Boolean);
  if (ways.length > 1)
    throw new BusError("configuration", `an address takes one way to say who the bus is, here are ${ways.join(" and ")}`);
  if (basic) {
    const [user, password] = [fillSecrets(basic.user, secret), fillSecrets(basic.password, secret)];
    if (user.includes(":")) throw new BusError("configuration", "the user of `basic` must have no colon");
    const header = `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
    return { header: () => Promise.resolve(header), refused: () => undefined };
  }
  if (!oauth) return undefined;
  return createTokens({
    client,
    clock,
    token: oauth.token,
    id: fillSecrets(oauth.client, secret),
    secret: fillSecrets(oauth.secret, secret),
    scope: oauth.scope,
    audience: oauth.audience,
    credentials: oauth.credentials ?? "basic",
  });
}
