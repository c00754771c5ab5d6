/**
 * Where an imported WSDL and its schemas come from. A file's imports stay below its folder, a web address's at its host; nothing
 * else is read or fetched, whatever the documents name. Everything is bounded.
 */
import { readFileSync, realpathSync, statSync } from "node:fs";
import { basename, dirname, join, sep } from "node:path";
import { joinPath } from "#bus/contract/xml/schema.ts";
import { BusError } from "#bus/errors.ts";

export type WsdlSource = Readonly<{ wsdl: string; resolve: (location: string, base: string | undefined) => string | undefined }>;

const SOURCE_LIMITS = { bytes: 10 * 1024 * 1024, documents: 50, timeout: 10_000 } as const;

/** Runs `use` with the WSDL at a path or address. Of an address what is missing is fetched and `use` runs again. */
export async function readWsdl<T>(at: string, use: (source: WsdlSource) => T): Promise<T> {
  return /^[a-z][a-z0-9+.-]*:\/\//iu.test(at) ? fromWeb(at, use) : use(fromFolder(at));
}

function refuse(text: string): never {
  throw new BusError("configuration", text);
}

function fromFolder(file: string): WsdlSource {
  const folder = real(dirname(file)) ?? refuse(`${file}: there is no such file`);
  return {
    wsdl: basename(file),
    resolve(location, base) {
      if (/^[a-z][a-z0-9+.-]*:/iu.test(location)) return undefined; // an address: nothing is fetched for a file
      const path = real(join(folder, joinPath(base, location)));
      if (path === undefined) return undefined;
      if (!path.startsWith(folder + sep))
        refuse(`${base ?? file}: the import ${location} leads out of the WSDL's folder; copy the file below it and change the location`);
      const facts = statSync(path);
      if (!facts.isFile()) return undefined;
      if (facts.size > SOURCE_LIMITS.bytes) refuse(`${location} has more than ${SOURCE_LIMITS.bytes} bytes`);
      return readFileSync(path, "utf8");
    },
  };
}

function real(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}

async function fromWeb<T>(address: string, use: (source: WsdlSource) => T): Promise<T> {
  const start = URL.canParse(address) ? new URL(address) : refuse(`${address} is no address`);
  if (start.protocol !== "http:" && start.protocol !== "https:") refuse(`${address}: only http and https addresses are read`);
  // undefined: it could not be fetched, and what imports it says so, unless the schema stands inline as well
  const texts = new Map<string, string | undefined>([[start.href, await fetchText(start.href)]]);
  for (;;) {
    const missing = new Set<string>();
    const resolve = (location: string, base: string | undefined): string | undefined => {
      const url = base === undefined ? location : joinPath(base, location);
      if (texts.has(url) || !URL.canParse(url)) return texts.get(url);
      if (new URL(url).origin !== start.origin)
        refuse(
          `${base ?? address}: the import ${location} leads to another host than ${start.host}; save all documents as files and import those`,
        );
      missing.add(url);
      return undefined;
    };
    const outcome = attempt(() => use({ wsdl: start.href, resolve }));
    if (missing.size === 0) {
      if ("error" in outcome) throw outcome.error;
      return outcome.value;
    }
    if (texts.size + missing.size > SOURCE_LIMITS.documents) refuse(`${address} imports more than ${SOURCE_LIMITS.documents} documents`);
    for (const url of missing) texts.set(url, await fetchText(url).catch(() => undefined));
  }
}

function attempt<T>(run: () => T): Readonly<{ value: T }> | Readonly<{ error: unknown }> {
  try {
    return { value: run() };
  } catch (error) {
    return { error };
  }
}

async function fetchText(url: string): Promise<string> {
  const told = (why: string): never => refuse(`${url}: ${why}`);
  const response = await fetch(url, { redirect: "error", signal: AbortSignal.timeout(SOURCE_LIMITS.timeout) }).catch((error: unknown) =>
    told(`cannot be fetched (${error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error)})`),
  );
  if (!response.ok || response.body === null) return told(`is answered with HTTP ${response.status}`);
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
    size += chunk.byteLength;
    if (size > SOURCE_LIMITS.bytes) told(`has more than ${SOURCE_LIMITS.bytes} bytes`);
    chunks.push(chunk);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(chunks));
  } catch {
    return told("is not UTF-8");
  }
}
