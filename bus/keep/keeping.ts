/** What an engine says of its consumer groups to those who keep house: which there are, what of the journal they need, and how one goes. */

export type GroupName = Readonly<{ topic: string; group: string }>;

export interface GroupKeeping {
  /** Groups that have a cursor, whether anybody subscribes them now or not. */
  groups(): Promise<readonly GroupName[]>;
  /** First position of the journal that a group has not finished, or that was not sent yet; Infinity = none. */
  needs(): Promise<number>;
  /** The group's cursor, its waits and what a broker holds for it are gone; it would begin as a new one. Idempotent. Throws store-conflict while this process subscribes it. */
  forget(name: GroupName): Promise<void>;
}
