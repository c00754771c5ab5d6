/**
 * Work that takes turns. JSONata goes on in small steps and counts the time from its beginning: of fifty evaluations side by side each
 * would count the time of all, and each be ended for having run too long.
 */

/** Gives a function that runs one work after the other, in the order they were asked for; a work that fails fails alone. */
export function createTurns(): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const mine = last.then(work);
    last = mine.catch(() => undefined);
    return mine;
  };
}
