/** The journal, with somebody told at once of records that were published through it. */
import type { Journal } from "../ports.ts";

export type Noticed = Readonly<{ journal: Journal; /** One listener. */ listen(published: () => void): void }>;

export function noticeAppends(journal: Journal): Noticed {
  let tell = (): void => undefined;
  return {
    journal: {
      writers: journal.writers,
      async append(records) {
        const appended = await journal.append(records);
        if (records.some(({ topic }) => topic !== undefined)) tell();
        return appended;
      },
      read: (from, limit, only) => journal.read(from, limit, only),
      find: (query) => journal.find(query),
      close: () => journal.close(),
    },
    listen(published) {
      tell = published;
    },
  };
}
