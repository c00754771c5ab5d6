/** Says of a thing that happens again and again only now and then that it is to be told, so that nobody can fill a log. */

/** Things that are remembered; beyond it the oldest is told again. */
const MOST = 5000;

/** True when `what` was not told within the last `every` milliseconds. */
export function toldOnce(every: number, now: () => number): (what: string) => boolean {
  const told = new Map<string, number>();
  return (what) => {
    const at = now();
    const before = told.get(what);
    if (before !== undefined && at - before < every) return false;
    told.delete(what);
    for (const oldest of told.keys()) {
      if (told.size < MOST) break;
      told.delete(oldest);
    }
    told.set(what, at);
    return true;
  };
}
