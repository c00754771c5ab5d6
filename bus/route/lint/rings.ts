/** Rings in a picture of names and arrows. The cost is one look at each name and arrow, however long the ways are. */

export type Arrows = ReadonlyMap<string, ReadonlySet<string>>;

/** Of each name in a ring: all names that reach it and are reached by it (Tarjan's strongly connected components). */
export function ringsOf(next: Arrows): ReadonlyMap<string, ReadonlySet<string>> {
  const rings = new Map<string, ReadonlySet<string>>();
  const order = new Map<string, number>();
  const lowest = new Map<string, number>();
  const open: string[] = [];
  const isOpen = new Set<string>();

  const lower = (name: string, to: number): void => {
    if (to < (lowest.get(name) ?? to + 1)) lowest.set(name, to);
  };

  /** Its own stack, since a chain of ten thousand topics is deeper than the machine's. */
  function visit(start: string): void {
    const frames: { name: string; rest: Iterator<string> }[] = [enter(start)];
    for (let frame = frames.at(-1); frame; frame = frames.at(-1)) {
      const { done, value } = frame.rest.next();
      if (done === true) {
        frames.pop();
        leave(frame.name);
        const above = frames.at(-1);
        if (above) lower(above.name, lowest.get(frame.name) ?? 0);
      } else if (!order.has(value)) frames.push(enter(value));
      else if (isOpen.has(value)) lower(frame.name, order.get(value) ?? 0);
    }
  }

  function enter(name: string): { name: string; rest: Iterator<string> } {
    order.set(name, order.size);
    lowest.set(name, order.size - 1);
    open.push(name);
    isOpen.add(name);
    return { name, rest: (next.get(name) ?? new Set<string>()).values() };
  }

  function leave(name: string): void {
    if (lowest.get(name) !== order.get(name)) return;
    const members = open.splice(open.lastIndexOf(name));
    for (const member of members) isOpen.delete(member);
    const ring = new Set(members);
    if (ring.size > 1 || next.get(name)?.has(name) === true) for (const member of ring) rings.set(member, ring);
  }

  for (const name of next.keys()) if (!order.has(name)) visit(name);
  return rings;
}

/** The shortest way from a name of a ring back to it, beginning with the name; it stays inside the ring. */
export function shortest(start: string, next: Arrows, ring: ReadonlySet<string>): readonly string[] {
  const came = new Map<string, string>();
  let edge: readonly string[] = [start];
  while (edge.length > 0) {
    const further: string[] = [];
    for (const name of edge) {
      for (const to of next.get(name) ?? []) {
        if (to === start) return wayTo(name, start, came);
        if (!ring.has(to) || came.has(to)) continue;
        came.set(to, name);
        further.push(to);
      }
    }
    edge = further;
  }
  return [];
}

function wayTo(end: string, start: string, came: ReadonlyMap<string, string>): readonly string[] {
  const way: string[] = [];
  for (let at: string | undefined = end; at !== undefined && at !== start; at = came.get(at)) way.push(at);
  return [start, ...way.toReversed()];
}
