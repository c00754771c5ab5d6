/** Does a literal of a map file (a value, a default, what a table gives) fit its target? Else every message would fail by it. */
import { describe, lookOf, lookOfValue, withoutNull, type Shape } from "../contract/shape.ts";

/** `wanted` is what the target takes, `given` what the file says and what to write instead. */
export type Misfit = Readonly<{ wanted: string; given: string }>;

/** Undefined = it fits, or the shape leaves it open. Whether null may stand there is another question. */
export function misfitOf(value: unknown, to: Shape): Misfit | undefined {
  const bare = withoutNull(to);
  if (value === null || bare.kind === "union") return undefined;
  const [have, want] = [lookOfValue(value), lookOf(bare)];
  const wanted = describe(bare);
  const text = typeof value === "string" ? value : JSON.stringify(value).slice(0, 60);
  if (have !== want) {
    const advice =
      want === "text" && (have === "number" || have === "boolean")
        ? `; write it in quotes: "${text}"`
        : want === "number" && have === "text" && text.trim() !== "" && Number.isFinite(Number(text))
          ? `; write ${text} without quotes`
          : "";
    return { wanted, given: `\`${text}\`, ${NOUNS[have ?? "nothing"]}${advice}` };
  }
  if (bare.kind === "enum" && !bare.symbols.includes(text)) return { wanted, given: `\`${text}\`` };
  const whole = bare.kind === "int" || bare.kind === "long";
  if (whole && !Number.isInteger(value)) return { wanted, given: `\`${text}\`` };
  if (bare.kind === "int" && Math.abs(Number(value) + 0.5) > 2 ** 31) return { wanted, given: `\`${text}\`` };
  return undefined;
}

const NOUNS = {
  nothing: "nothing",
  boolean: "true or false",
  number: "a number",
  text: "a text",
  bytes: "bytes",
  list: "a list",
  object: "a record",
} as const;
