/**
 * A statement of an administrator with named parameters: `:name`, `:home.city`, `:$id`. Each becomes a parameter of the driver, so a value
 * is never part of the text. Names inside quotes and comments are text, and `::` is a cast.
 */
import { compileOnly } from "#bus/edge/template.ts";
import type { Message } from "#bus/envelope.ts";
import { BusError } from "#bus/errors.ts";
import { parameterOf } from "./values.ts";

export type Statement = Readonly<{ text: string; values(message: Message): readonly ReturnType<typeof parameterOf>[] }>;

/** Quoted texts and names, dollar quotes, comments, casts, and at the end a parameter. */
const TOKEN =
  /[eE]'(?:[^'\\]|\\[^]|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|\$([A-Za-z_]\w*)?\$[^]*?\$\1\$|--[^\n]*|\/\*[^]*?\*\/|::|(?<![\w\]]):(\$?[A-Za-z_]\w*(?:\.[A-Za-z_][\w-]*)*)|;|'|\/\*|\$\d+/gu;

/** Throws `configuration`: several statements, a text that never ends, a parameter that is no field path. */
export function compileStatement(sql: string): Statement {
  const names: string[] = [];
  const trimmed = sql.trim().replace(/\s*;$/u, "");
  const text = trimmed.replace(TOKEN, (token, _tag: string | undefined, name: string | undefined) => {
    if (token === ";") throw wrong("one statement, and here are several");
    if (token === "'" || token === "/*") throw wrong("texts and comments that end");
    if (/^\$\d/u.test(token)) throw wrong("parameters by name, as in :number");
    if (name === undefined) return token;
    if (!names.includes(name)) names.push(name);
    return `$${names.indexOf(name) + 1}`;
  });
  const getters = names.map((name) => {
    const get = compileOnly(`{${name}}`);
    if (get === undefined) throw wrong(`field paths, and \`${name}\` is none`);
    return get;
  });
  return { text, values: (message) => getters.map((get) => parameterOf(get(message))) };
}

const wrong = (what: string): BusError => new BusError("configuration", `a statement for a database needs ${what}`);

/** `exchange.outbox` as the server reads it, letters kept as they are. */
export function quoted(name: string): string {
  return name
    .split(".")
    .map((part) => `"${part.replaceAll('"', '""')}"`)
    .join(".");
}
