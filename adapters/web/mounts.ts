/** Which handler serves a path: the longest mounted prefix wins, and a prefix ends at a slash. */
import { distance } from "fastest-levenshtein";

export type Face = "systems" | "admin";
export type Mount<H> = Readonly<{ face: Face; prefix: string; handler: H }>;

export type Mounts<H> = Readonly<{
  add(mount: Mount<H>): () => void;
  /** The longest prefix of `path` on one of the faces. */
  find(path: string, faces: readonly Face[]): Mount<H> | undefined;
  /** Is anything mounted at exactly this prefix, or below it? */
  has(prefix: string, face: Face): boolean;
  /** Up to three prefixes that look like `path`, for a 404 that helps. */
  near(path: string, faces: readonly Face[]): readonly string[];
}>;

export function createMounts<H>(): Mounts<H> {
  const tables: Record<Face, Map<string, Mount<H>>> = { systems: new Map(), admin: new Map() };
  return {
    add(mount) {
      const table = tables[mount.face];
      const prefix = trimSlash(mount.prefix);
      if (table.has(prefix)) throw new TypeError(`two handlers for ${mount.prefix} on the face to ${mount.face}`);
      table.set(prefix, mount);
      return () => void (table.get(prefix) === mount && table.delete(prefix));
    },
    find: (path, faces) => findIn(tables, path, faces),
    has(prefix, face) {
      const below = `${prefix}/`;
      for (const known of tables[face].keys()) if (known === prefix || known.startsWith(below)) return true;
      return false;
    },
    near(path, faces) {
      const known = faces.flatMap((face) => [...tables[face].keys()]).filter((prefix) => prefix !== "");
      const scored = known.map((prefix) => ({
        prefix,
        score: distance(path.slice(0, 200), prefix) / Math.max(path.length, prefix.length),
      }));
      return scored
        .filter(({ prefix, score }) => score < 0.6 || prefix.startsWith(`${path}/`))
        .sort((a, b) => a.score - b.score)
        .slice(0, 3)
        .map(({ prefix }) => prefix);
    },
  };
}

function findIn<H>(
  tables: Readonly<Record<Face, ReadonlyMap<string, Mount<H>>>>,
  path: string,
  faces: readonly Face[],
): Mount<H> | undefined {
  let prefix = trimSlash(path);
  for (;;) {
    for (const face of faces) {
      const mount = tables[face].get(prefix);
      if (mount !== undefined) return mount;
    }
    if (prefix === "") return undefined;
    prefix = prefix.slice(0, Math.max(prefix.lastIndexOf("/"), 0));
  }
}

function trimSlash(path: string): string {
  return path.endsWith("/") ? path.slice(0, -1) : path;
}
