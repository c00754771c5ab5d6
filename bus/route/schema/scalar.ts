/** One scalar by its schema: type, words, pattern, limits, units. */
import { CLASSES } from "../../errors.ts";
import { resolvePath } from "../documents.ts";
import { hint } from "../../near.ts";
import type { Schema, ValueKind } from "./schema.ts";
import type { ScalarNode } from "./tree.ts";
import { readDuration, readMoment, readPercent, readQuota, readRate, readSize, type Read } from "./units.ts";

export type ReadScalar = Readonly<{ value: unknown }> | Readonly<{ fault: string; rule: string }>;
const wrong = (rule: string, fault: string): ReadScalar => ({ rule, fault });

/** `text` is the scalar with variables filled in. `raw` keeps texts with units as they are written. */
export function readScalar(node: ScalarNode, text: string, schema: Schema, raw: boolean): ReadScalar {
  const types = schema.type === undefined ? undefined : [schema.type].flat();
  if (types?.includes("boolean") && typeof node.value === "boolean") return allowed(node.value, schema);
  const numeric = types?.includes("number") || types?.includes("integer");
  if (numeric && typeof node.value === "number") return numberOf(node.value, schema, types?.includes("number") === true);
  if (types && !types.includes("string")) {
    const noun = types.includes("boolean")
      ? "true or false"
      : types.includes("integer")
        ? "a whole number without quotes"
        : "a number without quotes";
    return wrong("wrong-type", `write ${noun} instead of \`${cut(text)}\``);
  }
  if (!types && typeof node.value !== "string") return allowed(node.value, schema);
  return textOf(text, node, schema, raw);
}

function numberOf(value: number, schema: Schema, fractions: boolean): ReadScalar {
  if (!fractions && !Number.isInteger(value)) return wrong("wrong-type", `write a whole number instead of \`${value}\``);
  const { minimum = -Infinity, maximum = Infinity } = schema;
  if (value < minimum || value > maximum || !Number.isFinite(value))
    return wrong("out-of-range", `${value} is outside ${minimum}..${maximum}`);
  return { value };
}

function allowed(value: unknown, schema: Schema): ReadScalar {
  if (!schema.enum || schema.enum.includes(value)) return { value };
  const words = schema.enum.map(String);
  return wrong("unknown-word", `\`${cut(String(value))}\` is not known here${hint(String(value), words)}`);
}

function textOf(text: string, node: ScalarNode, schema: Schema, raw: boolean): ReadScalar {
  if (schema.enum) return allowed(text, schema);
  const kind = schema["x-kind"];
  if (kind) {
    const read = KINDS[kind](text, node.spot.file);
    if ("fault" in read) return wrong(RULES[kind] ?? `bad-${kind}`, read.fault);
    return { value: raw && kind !== "file" ? text : read.value };
  }
  const { minLength = 0, maxLength = Infinity, pattern } = schema;
  if (text.length < minLength) return wrong("empty", "the text is empty");
  if (text.length > maxLength) return wrong("too-long", `the text is longer than ${maxLength} characters`);
  if (pattern !== undefined && !new RegExp(pattern, "u").test(text)) return wrong("bad-form", `\`${cut(text)}\` ${misfit(schema)}`);
  return { value: text };
}

function misfit(schema: Schema): string {
  const example = schema.examples?.[0];
  const like = typeof example === "string" ? `, for example \`${example}\`` : "";
  if (schema["x-write"] !== undefined) return `does not fit; ${schema["x-write"]}${like}`;
  return `does not fit the pattern ${schema.pattern ?? ""}. ${schema.description ?? ""}`.trim();
}

const RULES: Partial<Record<ValueKind, string>> = {
  moment: "bad-date",
  file: "bad-path",
  "retry-rule": "retry-class",
  bounds: "bad-duration",
};

const KINDS: Readonly<Record<ValueKind, (text: string, file: string) => Read<unknown>>> = {
  duration: readDuration,
  size: readSize,
  rate: readRate,
  percent: readPercent,
  quota: readQuota,
  moment: readMoment,
  file: readFile,
  idno: readIdno,
  "retry-rule": readRetryRule,
  bounds: readBounds,
};

/** A path that stays below the root of the files. */
function readFile(text: string, from: string): Read<string> {
  const path = resolvePath(from, text);
  const depth = from.split("/").length - 1;
  const ups = text.split("/").filter((part) => part === "..").length;
  const leaves = /^\/|\\|^[A-Za-z]:|\0/.test(text) || (text.startsWith(".") ? ups > depth : ups > 0) || path.split("/").includes("..");
  return leaves || path === ""
    ? { fault: `\`${cut(text)}\` leaves the folder of the files; write a path relative to this file, for example ./map/person.map.yaml` }
    : { value: path };
}

/** IDNO: 13 digits, the last one sum(digit × 7,3,1,…) mod 10. */
export function readIdno(text: string): Read<string> {
  if (!/^\d{13}$/.test(text)) return { fault: `\`${cut(text)}\` is no IDNO; an IDNO has 13 digits` };
  const sum = Array.from(text.slice(0, 12)).reduce((total, digit, at) => total + Number(digit) * ([7, 3, 1][at % 3] ?? 0), 0);
  const check = String(sum % 10);
  return text.endsWith(check)
    ? { value: text }
    : { fault: `\`${text}\` is no IDNO: its check digit is ${text.slice(-1)}, by the other digits it would be ${check}` };
}

const RETRYABLE = Object.entries(CLASSES).flatMap(([name, facts]) => (facts.retryable && name !== "provider-fault" ? [name] : []));

function readRetryRule(text: string): Read<Readonly<{ class: string; code?: string }>> {
  const [name = "", ...rest] = text.split(":");
  const code = rest.join(":").trim();
  if (!Object.hasOwn(CLASSES, name)) return { fault: `\`${cut(name)}\` is no class of error${hint(name, Object.keys(CLASSES))}` };
  if (name === "provider-fault")
    return code === ""
      ? { fault: "a provider-fault is retried only with its code; write `provider-fault:CODE`" }
      : { value: { class: name, code } };
  if (!RETRYABLE.includes(name))
    return {
      fault: `\`${name}\` gives the same result every time, so it is never retried; known are ${RETRYABLE.join(", ")} and provider-fault:CODE`,
    };
  return code === "" ? { value: { class: name } } : { fault: `only provider-fault takes a code; write \`${name}\`` };
}

function readBounds(text: string): Read<Readonly<{ below?: number; above?: number }>> {
  const [, sign, length = ""] = /^([<>])\s*(.+)$/.exec(text.trim()) ?? [];
  if (sign === undefined) return { fault: `\`${cut(text)}\` is no bound; write \`"< 9s"\` or \`"> 1s"\`` };
  const read = readDuration(length);
  if ("fault" in read) return read;
  return { value: sign === "<" ? { below: read.value } : { above: read.value } };
}

const cut = (text: string): string => (text.length > 60 ? `${text.slice(0, 57)}…` : text);
