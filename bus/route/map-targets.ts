/** Targets of one record, so that no field is mapped twice: the same path, or one path inside the other. */

export interface Targets {
  /** Notes a target; the line of the first one that it meets, or undefined. The cost is the path's depth, however many there are. */
  add(target: readonly string[], line: number): number | undefined;
}

export function createTargets(): Targets {
  /** Whole paths, and every path above one, by their names joined. */
  const whole = new Map<string, number>();
  const above = new Map<string, number>();
  return {
    add(target, line) {
      const paths = target.map((_, index) => target.slice(0, index + 1).join("."));
      const full = target.join(".");
      const met = [...paths.map((path) => whole.get(path)), above.get(full)].filter((one) => one !== undefined);
      for (const path of paths) if (!above.has(path)) above.set(path, line);
      if (!whole.has(full)) whole.set(full, line);
      return met.length === 0 ? undefined : Math.min(...met);
    },
  };
}
