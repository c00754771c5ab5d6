/**
 * Order per key within a lane: one message of a key at a time, the others stand behind it. A head that waits makes those behind it
 * wait durably too, so that they hold no place in the broker's window. Pure.
 */

/** A message of a lane that is not finished. */
export type Work = {
  readonly position: number;
  readonly key: string | undefined;
  attempts: number;
  firstAt: number;
  /** An earlier delivery may have ended well. */
  again: boolean;
  /** Durable in the store; then the broker has no copy to settle. */
  parked: boolean;
  /** Waits for its time until then; 0 = it may go. */
  due: number;
  state: "behind" | "waiting" | "ready" | "running";
};

export interface Keys {
  /**
   * Puts a message in its place among those of its key; true = it is the head. A later one that waits as head, because it was parked
   * by a node that died before it parked those in front of it, steps back.
   */
  enter(work: Work): boolean;
  /** Takes a finished message out; gives the next head of its key. */
  leave(work: Work): Work | undefined;
  /** Those that stand behind this head. */
  behind(work: Work): readonly Work[];
  /** Is the head of this key waiting for its time, and is that durable? */
  blocked(key: string | undefined): boolean;
  blockedKeys(): number;
}

export function createKeys(ordered: boolean): Keys {
  const lines = new Map<string, Work[]>();
  const lineOf = (work: Pick<Work, "key">): Work[] | undefined => (ordered && work.key !== undefined ? lines.get(work.key) : undefined);

  return {
    enter(work) {
      if (!ordered || work.key === undefined) return true;
      const line = lines.get(work.key) ?? [];
      lines.set(work.key, line);
      let at = line.length;
      while (at > 0 && (line[at - 1]?.position ?? 0) > work.position) at--;
      const [head] = line;
      if (at === 0 && head) head.state = "behind";
      line.splice(at, 0, work);
      return at === 0;
    },
    leave(work) {
      const line = lineOf(work);
      if (!line || work.key === undefined) return undefined;
      const at = line.indexOf(work);
      if (at >= 0) line.splice(at, 1);
      if (line.length === 0) lines.delete(work.key);
      return at === 0 ? line[0] : undefined;
    },
    behind: (work) => lineOf(work)?.slice(1) ?? [],
    blocked(key) {
      const head = ordered && key !== undefined ? lines.get(key)?.[0] : undefined;
      return head?.state === "waiting" && head.parked;
    },
    blockedKeys() {
      let blocked = 0;
      for (const line of lines.values()) if (line[0]?.state === "waiting") blocked++;
      return blocked;
    },
  };
}
