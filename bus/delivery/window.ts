/** How many calls of the last `window` milliseconds succeeded and failed, in ten slices that fall out one by one. */
const SLICES = 10;

export interface RollingWindow {
  add(now: number, ok: boolean): void;
  /** Calls and failures within the window that ends now. */
  count(now: number): Readonly<{ calls: number; failures: number }>;
  clear(): void;
}

export function createWindow(window: number): RollingWindow {
  const width = Math.max(1, window / SLICES);
  const number = Array.from({ length: SLICES }, () => -1);
  const good = Array.from({ length: SLICES }, () => 0);
  const bad = Array.from({ length: SLICES }, () => 0);
  return {
    add(now, ok) {
      const slice = Math.floor(now / width);
      const at = slice % SLICES;
      if (number[at] !== slice) {
        number[at] = slice;
        good[at] = 0;
        bad[at] = 0;
      }
      const side = ok ? good : bad;
      side[at] = (side[at] ?? 0) + 1;
    },
    count(now) {
      const oldest = Math.floor(now / width) - SLICES;
      let calls = 0;
      let failures = 0;
      for (let at = 0; at < SLICES; at++) {
        if ((number[at] ?? -1) <= oldest) continue;
        failures += bad[at] ?? 0;
        calls += (good[at] ?? 0) + (bad[at] ?? 0);
      }
      return { calls, failures };
    },
    clear() {
      number.fill(-1);
    },
  };
}
