/**
 * Which addresses the bus may call. A name is looked up once for each connection, every address that it stands for is judged, and the
 * connection goes to one of exactly these: a name that means another machine a moment later gains nothing.
 */
import { lookup as systemLookup, type LookupAddress } from "node:dns";
import { BlockList, isIP, type LookupFunction } from "node:net";
import { BusError } from "#bus/errors.ts";

/** `http`: also without TLS. `networks`: what may be called beside public addresses, as `10.20.0.0/16` or one address. */
export type OutboundPolicy = Readonly<{ http: boolean; networks: readonly string[] }>;

export type Guard = Readonly<{
  /** Judges scheme, user information and an address that is written as numbers. Throws `configuration`. */
  check(url: URL): void;
  /** For connections by name; its error is a BusError. */
  lookup: LookupFunction;
}>;

export type Resolve = (host: string, done: (error: Error | null, addresses: readonly LookupAddress[]) => void) => void;

/** Not of the public internet (IANA's registries of special-purpose addresses), and multicast. */
const SPECIAL: readonly string[] = (
  "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 192.168.0.0/16 198.18.0.0/15 " +
  "198.51.100.0/24 203.0.113.0/24 224.0.0.0/3 " +
  "::/96 64:ff9b::/96 64:ff9b:1::/48 100::/64 2001::/23 2001:db8::/32 2002::/16 fc00::/7 fe80::/9 ff00::/8"
).split(" ");

/** Beside an error the platform gives no list at all, whatever its types say. */
const system: Resolve = (host, done) =>
  systemLookup(host, { all: true, verbatim: true }, (error, addresses) => done(error, error ? [] : addresses));

/** Throws `configuration` where a network is none. */
export function createGuard(policy: OutboundPolicy, resolve: Resolve = system): Guard {
  const special = listOf(SPECIAL);
  const allowed = listOf(policy.networks);
  const refusal = (address: string, name: string): BusError | undefined => {
    const plain = unmapped(address);
    const family = isIP(plain) === 6 ? "ipv6" : "ipv4";
    if (!special.check(plain, family) || allowed.check(plain, family)) return undefined;
    return new BusError(
      "configuration",
      `${name} is at an address that is not public${name === address ? "" : ` (${address})`}; if it is to be called, add its network to MBUS_OUTBOUND`,
    );
  };
  return {
    check(url) {
      if (url.protocol !== "https:" && !(policy.http && url.protocol === "http:"))
        throw new BusError("configuration", `${url.protocol}//${url.host} is not called: an endpoint's address must be https://…`);
      if (url.username !== "" || url.password !== "")
        throw new BusError("configuration", "an endpoint's address must be without user and password; write `auth:`");
      const host = url.hostname.replace(/^\[|\]$/gu, "");
      const refused = isIP(host) === 0 ? undefined : refusal(host, host);
      if (refused) throw refused;
    },
    lookup(host, options, done) {
      resolve(host, (error, addresses) => {
        const refused = error ?? addresses.map(({ address }) => refusal(address, host)).find(Boolean);
        const [first] = addresses;
        if (refused) done(refused, []);
        else if (first === undefined) done(Object.assign(new Error("no address"), { code: "ENOTFOUND" }), []);
        else if (options.all === true) done(null, [...addresses]);
        else done(null, first.address, first.family);
      });
    },
  };
}

/** `::ffff:7f00:1` and `::ffff:127.0.0.1` are 127.0.0.1; a link's name behind an address says nothing of it. */
function unmapped(address: string): string {
  const [plain = ""] = address.split("%");
  const mapped = /^::ffff:(?:(\d+\.\d+\.\d+\.\d+)|([0-9a-f]{1,4}):([0-9a-f]{1,4}))$/iu.exec(plain);
  if (!mapped) return plain;
  if (mapped[1] !== undefined) return mapped[1];
  const [high, low] = [Number.parseInt(mapped[2] ?? "", 16), Number.parseInt(mapped[3] ?? "", 16)];
  return [high >> 8, high & 255, low >> 8, low & 255].join(".");
}

function listOf(networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [address = "", bits] = network.split("/");
    const family = isIP(address);
    const most = family === 6 ? 128 : 32;
    const size = bits === undefined ? most : /^\d{1,3}$/u.test(bits) ? Number(bits) : -1;
    if (family === 0 || size < 0 || size > most)
      throw new BusError("configuration", `\`${network}\` is no network; write for example 10.20.0.0/16`);
    list.addSubnet(address, size, family === 6 ? "ipv6" : "ipv4");
  }
  return list;
}
