/** `${var:name}` and `${secret:name}`, the only things that are ever filled in; after parsing, into texts only. */
import { hint } from "../../near.ts";

/** A name between braces, or a `${` that begins none. */
const TOKEN = /\$\{(?:([^{}]*)\})?/g;
export type Filled = Readonly<{ value: string }> | Readonly<{ fault: string; rule: string; offset: number }>;

/** Secrets stay as they stand (the composition fills them); they are refused where the field is not made for them. */
export function fill(text: string, secretAllowed: boolean, vars: Readonly<Record<string, string>>): Filled {
  if (!text.includes("${")) return { value: text };
  let value = "";
  let last = 0;
  for (const match of text.matchAll(TOKEN)) {
    const [token, inner = ""] = match;
    if (token === "${") return { offset: match.index, rule: "bad-variable", fault: UNENDED };
    const [, source, name] = /^(var|secret):([A-Za-z0-9][A-Za-z0-9._/-]*)$/.exec(inner) ?? [];
    const offset = match.index;
    if (source === undefined || name === undefined) return { offset, rule: "bad-variable", fault: unreadable(token, inner) };
    if (source === "secret" && !secretAllowed) {
      return {
        offset,
        rule: "secret-misplaced",
        fault: `\`${token}\` may not stand here: this field is shown in logs and the console; secrets go only into fields made for them, for example \`auth\``,
      };
    }
    const found = source === "secret" ? token : Object.hasOwn(vars, name) ? vars[name] : undefined;
    if (found === undefined) {
      return {
        offset,
        rule: "unset-variable",
        fault: `variable \`${name}\` has no value; add it under \`vars:\` of the environment, or set MBUS_VAR_${name.toUpperCase().replace(/[^A-Z0-9]/g, "_")}${hint(name, Object.keys(vars))}`,
      };
    }
    if (source === "var" && found.includes("${")) return { offset, rule: "bad-variable", fault: nested(name) };
    value += text.slice(last, offset) + found;
    last = offset + token.length;
  }
  return { value: value + text.slice(last) };
}

const UNENDED =
  "`${` begins a name that is not written to its end; write `${var:name}` or `${secret:name}`, and nothing else between the braces";
const nested = (name: string): string =>
  `the value of variable \`${name}\` holds \`\${\` itself, and nothing is filled in twice; give the variable its whole value`;

function unreadable(token: string, inner: string): string {
  const name = inner.replace(/^[a-z]*:/i, "").replace(/[^A-Za-z0-9._/-]/g, "");
  return `\`${token}\` is not filled in; write \`\${var:${name || "name"}}\` or \`\${secret:${name || "name"}}\``;
}

/** What people may see: secrets as `***`. */
export function maskSecrets(text: string): string {
  return text.replace(/\$\{secret:[^{}]*\}/g, "***");
}

/** Fills the secrets of a text that an outlet sends. What a secret holds is taken as it stands. */
export function fillSecrets(text: string, secret: (name: string) => string): string {
  return text.replace(/\$\{secret:([^{}]*)\}/g, (_, name: string) => secret(name));
}
