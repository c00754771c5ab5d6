/** One call of the administrators' face: the row that serves it, and how members of its body are read. */
import { BusError } from "#bus/errors.ts";
import type { Admin } from "#bus/admin.ts";

export type Call = Readonly<{ values: Readonly<Record<string, string>>; query: URLSearchParams; body: Readonly<Record<string, unknown>> }>;

export type Endpoint = Readonly<{
  method: "GET" | "POST";
  /** Below /api/v1; `{name}` is a value. */
  path: string;
  title: string;
  /** JSON Schema properties of the body. */
  body?: Readonly<Record<string, unknown>>;
  /** Media type of an answer that is not JSON: `run` gives its bytes. */
  media?: string;
  run: (admin: Admin, call: Call) => Promise<unknown>;
}>;

export function text(body: Readonly<Record<string, unknown>>, name: string): string {
  const value = body[name];
  if (typeof value !== "string" || value.trim() === "") throw new BusError("json-violation", `\`${name}\` is missing: give it as text`);
  return value;
}

export function number(body: Readonly<Record<string, unknown>>, name: string): number | undefined {
  const value = body[name];
  if (value === undefined) return undefined;
  if (typeof value !== "number" || !Number.isFinite(value)) throw new BusError("json-violation", `\`${name}\` is no number`);
  return value;
}

export function flag(body: Readonly<Record<string, unknown>>, name: string): boolean | undefined {
  const value = body[name];
  if (value !== undefined && typeof value !== "boolean") throw new BusError("json-violation", `\`${name}\` is neither true nor false`);
  return value;
}
