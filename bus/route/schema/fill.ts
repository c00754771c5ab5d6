/** `${var:name}` and `${secret:name}`, the only things that are ever filled in; after parsing, into texts only. */
import { hint } from "../../near.ts";

const TOKEN = /\$\{([^{}]*)\}/g;
export type Filled = Readonly<{ value: string }> | Readonly<{ fault: string; rule: string; offset: number }>;

/** Secrets stay as they stand (the composition fills them); they are refused where the field is not made for them. */
export function fill(text: string, secretAllowed: boolean, vars: Readonly<Record<string, string>>): Filled {
  if (!text.includes("${")) return { value: text };
  let value = "";
  let last = 0;
  for (const match of text.matchAll(TOKEN)) {
    const [token, inner = ""] = match;
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
    value += text.slice(last, offset) + found;
    last = offset + token.length;
  }
  return { value: value + text.slice(last) };
}

function unreadable(token: string, inner: string): string {
  const name = inner.replace(/^[a-z]*:/i, "").replace(/[^A-Za-z0-9._/-]/g, "");
  return `\`${token}\` is not filled in; write \`\${var:${name || "name"}}\` or \`\${secret:${name || "name"}}\``;
}

/** What people may see: secrets as `***`. */
export function maskSecrets(text: string): string {
  return text.replace(/\$\{secret:[^{}]*\}/g, "***");
}

/** Fills the secrets of an adapter's options; `secret` gives the value or undefined. Unknown ones are returned in `missing`. */
export function fillSecrets(value: unknown, secret: (name: string) => string | undefined, missing: string[]): unknown {
  if (typeof value === "string") {
    return value.replace(/\$\{secret:([^{}]*)\}/g, (token, name: string) => {
      const found = secret(name);
      if (found === undefined) missing.push(name);
      return found ?? token;
    });
  }
  if (Array.isArray(value)) return value.map((item) => fillSecrets(item, secret, missing));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, fillSecrets(inner, secret, missing)]));
}
