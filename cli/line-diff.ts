/** Two texts line by line: what went, what came, with some lines around it. */

type Edit = Readonly<{ sign: " " | "-" | "+"; line: string }>;

/** Lines of context, and the most cells that are compared: above it the whole middle counts as replaced. */
const AROUND = 2;
const MOST = 4_000_000;

/** Lines with `-`, `+` or a blank before them; `@@ N` names the line of the new text where a piece begins. */
export function hunks(before: string, after: string): readonly string[] {
  const edits = editsOf(linesOf(before), linesOf(after));
  const near = edits.map((_, at) => edits.slice(Math.max(0, at - AROUND), at + AROUND + 1).some(({ sign }) => sign !== " "));
  const shown: string[] = [];
  let line = 0;
  for (const [at, edit] of edits.entries()) {
    if (edit.sign !== "-") line++;
    if (near[at] !== true) continue;
    if (at === 0 || near[at - 1] !== true) shown.push(`@@ ${edit.sign === "-" ? line + 1 : line}`);
    shown.push(`${edit.sign}${edit.line}`);
  }
  return shown;
}

const linesOf = (text: string): readonly string[] => (text === "" ? [] : text.replace(/\n$/u, "").split("\n"));

function editsOf(a: readonly string[], b: readonly string[]): readonly Edit[] {
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start++;
  let end = 0;
  while (end < a.length - start && end < b.length - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end++;
  const same = (lines: readonly string[]): readonly Edit[] => lines.map((line) => ({ sign: " ", line }));
  const middle = changed(a.slice(start, a.length - end), b.slice(start, b.length - end));
  return [...same(a.slice(0, start)), ...middle, ...same(a.slice(a.length - end))];
}

/** By the longest common subsequence; what goes stands before what comes. */
function changed(a: readonly string[], b: readonly string[]): readonly Edit[] {
  const gone = (lines: readonly string[]): readonly Edit[] => lines.map((line) => ({ sign: "-", line }));
  const come = (lines: readonly string[]): readonly Edit[] => lines.map((line) => ({ sign: "+", line }));
  if (a.length * b.length > MOST) return [...gone(a), ...come(b)];
  const width = b.length + 1;
  const longest = new Uint32Array((a.length + 1) * width);
  const at = (i: number, j: number): number => longest[i * width + j] ?? 0;
  for (let i = a.length - 1; i >= 0; i--)
    for (let j = b.length - 1; j >= 0; j--)
      longest[i * width + j] = a[i] === b[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
  const edits: Edit[] = [];
  let [i, j] = [0, 0];
  while (i < a.length && j < b.length) {
    if (a[i] === b[j]) {
      edits.push({ sign: " ", line: a[i] ?? "" });
      i++;
      j++;
    } else if (at(i + 1, j) >= at(i, j + 1)) edits.push(...gone(a.slice(i, ++i)));
    else edits.push(...come(b.slice(j, ++j)));
  }
  return [...edits, ...gone(a.slice(i)), ...come(b.slice(j))];
}
