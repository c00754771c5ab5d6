/** Values with units, read strictly: `10s`, `256KiB`, `50%`, `20/s`, `5000/day`, `2026-01-01`. A bare number is refused. */

export type Read<T> = Readonly<{ value: T }> | Readonly<{ fault: string }>;

const SECOND = 1000;
const DAY = 86_400 * SECOND;
const DURATIONS: Readonly<Record<string, number>> = {
  ms: 1,
  s: SECOND,
  m: 60 * SECOND,
  h: 3600 * SECOND,
  d: DAY,
  w: 7 * DAY,
  /** A year of retention is 365 days. */
  y: 365 * DAY,
};
const SIZES: Readonly<Record<string, number>> = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 };
const PERIODS: Readonly<Record<string, number>> = {
  s: SECOND,
  second: SECOND,
  m: 60 * SECOND,
  minute: 60 * SECOND,
  h: 3600 * SECOND,
  hour: 3600 * SECOND,
  d: DAY,
  day: DAY,
};

/** `250ms`, `2.5s`, `10m`, `24h`, `30d`, `2w`, `7y` to milliseconds. */
export function readDuration(text: string): Read<number> {
  return withUnit(text, DURATIONS, "s", "a duration", "250ms, 10s, 5m, 24h, 30d or 7y");
}

/** `512B`, `256KiB`, `10MiB` to bytes. */
export function readSize(text: string): Read<number> {
  return withUnit(text, SIZES, "KiB", "a size", "512B, 256KiB or 10MiB");
}

function withUnit(text: string, units: Readonly<Record<string, number>>, usual: string, noun: string, examples: string): Read<number> {
  const match = /^(\d+(?:\.\d+)?)\s*([A-Za-z]*)$/.exec(text.trim());
  const [, digits, unit] = match ?? [];
  if (digits === undefined || unit === undefined) return { fault: `\`${shown(text)}\` is not ${noun}; write for example ${examples}` };
  if (unit === "") return { fault: `\`${shown(text)}\` has no unit; write \`${digits}${usual}\`` };
  const factor = Object.hasOwn(units, unit) ? units[unit] : undefined;
  if (factor === undefined) {
    return { fault: `\`${unit}\` is no unit of ${noun.replace(/^an? /, "")}; the units are ${Object.keys(units).join(", ")}` };
  }
  const value = Math.round(Number(digits) * factor);
  return Number.isSafeInteger(value) ? { value } : { fault: `\`${shown(text)}\` is too large` };
}

/** `50%` to 0.5. */
export function readPercent(text: string): Read<number> {
  const match = /^(\d+(?:\.\d+)?)\s*%$/.exec(text.trim());
  if (!match) {
    const bare = /^\d+(\.\d+)?$/.test(text.trim());
    return {
      fault: bare
        ? `\`${text}\` has no unit; write \`${percentOf(text)}%\``
        : `\`${shown(text)}\` is not a percentage; write for example 50%`,
    };
  }
  const value = Number(match[1]) / 100;
  return value > 0 && value <= 1 ? { value } : { fault: `\`${text}\` is outside 1%..100%` };
}
const percentOf = (text: string): number => (Number(text) <= 1 ? Math.round(Number(text) * 100) : Number(text));

/** `5000/day` to a count per milliseconds. */
export function readQuota(text: string): Read<Readonly<{ count: number; per: number }>> {
  const match = /^(\d+)\s*\/\s*([a-z]+)$/.exec(text.trim());
  const per = match?.[2] !== undefined && Object.hasOwn(PERIODS, match[2]) ? PERIODS[match[2]] : undefined;
  if (match && per !== undefined && Number(match[1]) > 0 && Number.isSafeInteger(Number(match[1])))
    return { value: { count: Number(match[1]), per } };
  if (/^\d+$/.test(text.trim())) return { fault: `\`${text}\` has no period; write \`${text}/s\` or \`${text}/day\`` };
  return { fault: `\`${shown(text)}\` is not a count per period; write for example 20/s, 600/minute or 5000/day` };
}

/** `20/s`, `600/minute` to messages per second. */
export function readRate(text: string): Read<number> {
  const quota = readQuota(text);
  return "fault" in quota ? quota : { value: (quota.value.count / quota.value.per) * SECOND };
}

/** `2026-01-31` (UTC midnight) or an ISO 8601 moment with a zone, to milliseconds since the epoch. */
export function readMoment(text: string): Read<number> {
  const match = /^(\d{4})-(\d{2})-(\d{2})(T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?(Z|[+-]\d{2}:\d{2}))?$/.exec(text.trim());
  const value = match ? Date.parse(text.trim()) : Number.NaN;
  const real = match && !Number.isNaN(value) && Number(match[3]) <= daysIn(Number(match[1]), Number(match[2]));
  return real ? { value } : { fault: `\`${shown(text)}\` is no date; write for example 2026-12-31 or 2026-12-31T09:00:00Z` };
}
const daysIn = (year: number, month: number): number => new Date(Date.UTC(year, month, 0)).getUTCDate();

const shown = (text: string): string => (text.length > 40 ? `${text.slice(0, 37)}…` : text);

const STEPS: readonly (readonly [string, number])[] = [
  ["y", 365 * DAY],
  ["d", DAY],
  ["h", 3600 * SECOND],
  ["m", 60 * SECOND],
  ["s", SECOND],
];

/** Milliseconds as an administrator would write them, exact: `9s`, `2500ms`, `24h`. */
export function formatDuration(ms: number): string {
  const step = STEPS.find(([, size]) => ms >= size && ms % size === 0);
  return step ? `${ms / step[1]}${step[0]}` : `${ms}ms`;
}

/** Milliseconds for reading, at most one digit after the point: `600ms`, `8.1s`, `10.9m`, `2.7h`. */
export function spokenDuration(ms: number): string {
  if (ms > 0 && ms < SECOND) return `${ms}ms`;
  if (ms < 120 * SECOND) return `${Number((ms / SECOND).toFixed(1))}s`;
  if (ms < 2 * 3600 * SECOND) return `${Number((ms / 60_000).toFixed(1))}m`;
  return ms < 2 * DAY ? `${Number((ms / 3_600_000).toFixed(1))}h` : `${Number((ms / DAY).toFixed(1))}d`;
}
