/** Shapes that routes, policies and steps share, from checked values: expressions, keys, deliver, steps. */
import type { DeliverDoc, ExpressionDoc, FieldTestDoc, KeyDoc, OrderDoc, Path, PredicateDoc, StepDoc } from "./documents.ts";
import type { BreakerDoc } from "./documents-deliver.ts";
import { DEFAULTS } from "./defaults.ts";

export type Raw = Readonly<Record<string, unknown>>;

export function readExpression(value: Raw, path: Path): ExpressionDoc {
  const language = value["jsonata"] === undefined ? "xpath" : "jsonata";
  const namespaces = (value["namespaces"] ?? {}) as Readonly<Record<string, string>>;
  return { language, text: String(value[language]), namespaces, path: [...path, language] };
}

export function readPredicate(value: Raw, path: Path): PredicateDoc {
  if (value["field"] === undefined) return readExpression(value, path);
  return { ...(value as unknown as Omit<FieldTestDoc, "language" | "path">), language: "field", path: [...path, "field"] };
}

export function readKey(value: unknown, path: Path): KeyDoc {
  return typeof value === "string" ? { language: "path", field: value, path } : readExpression(value as Raw, path);
}

export function readOrder(value: unknown, path: Path): OrderDoc | undefined {
  if (value === undefined) return undefined;
  const by = (value as Raw)["by"];
  return { by: by === "none" ? "none" : readKey(by, [...path, "by"]) };
}

/** `deliver.order` is read by the branch it belongs to, not here. */
export function readDeliver(value: unknown): DeliverDoc | undefined {
  if (value === undefined) return undefined;
  const { order: _, breaker, ...rest } = value as Raw;
  if (breaker === undefined || typeof breaker === "string")
    return { ...rest, ...(breaker === undefined ? {} : { breaker: "none" as const }) };
  const { whenOpen, ...settings } = breaker as Raw;
  if (typeof whenOpen !== "object") return { ...rest, breaker: breaker as BreakerDoc };
  const { retryAfter } = whenOpen as { retryAfter?: number };
  return { ...rest, breaker: { ...(settings as BreakerDoc), whenOpen: "fault", ...(retryAfter === undefined ? {} : { retryAfter }) } };
}

export function readSteps(value: unknown, path: Path): readonly StepDoc[] {
  return ((value ?? []) as readonly Raw[]).map((step, index) => readStep(step, [...path, index]));
}

function readStep(step: Raw, at: Path): StepDoc {
  const [kind = "", value] = Object.entries(step)[0] ?? [];
  const path = [...at, kind];
  const raw = value as Raw;
  switch (kind) {
    case "choose":
      return readChoose(value as readonly Raw[], path);
    case "filter":
      return { kind, path, when: readPredicate(raw["when"] as Raw, [...path, "when"]), onDrop: "journal" };
    case "map":
      return { kind, path, map: String(value) };
    case "dedupe":
      return {
        ...DEFAULTS.dedupe,
        ...(raw as object),
        kind,
        path,
        key: readKey(raw["key"], [...path, "key"]),
        window: Number(raw["window"]),
      };
    case "split": {
      const { stream, maxRecord } = raw as { stream?: boolean; maxRecord?: number };
      return { kind, path, by: readExpression(raw, path), stream: stream ?? false, ...(maxRecord === undefined ? {} : { maxRecord }) };
    }
    case "aggregate": {
      const complete = raw["complete"] as { timeout: number } & Raw;
      const when = complete["when"] === undefined ? {} : { when: readPredicate(complete["when"] as Raw, [...path, "complete", "when"]) };
      return { kind, path, correlate: readKey(raw["correlate"], [...path, "correlate"]), complete: { ...complete, ...when } };
    }
    case "delay": {
      const until = raw["until"] === undefined ? {} : { until: readExpression(raw["until"] as Raw, [...path, "until"]) };
      return { ...(raw as { for?: number }), ...until, kind, path };
    }
    default:
      return { ...raw, kind, path } as unknown as StepDoc;
  }
}

function readChoose(cases: readonly Raw[], path: Path): StepDoc {
  const read = cases.map((one, index) => ({ one, at: [...path, index], steps: readSteps(one["steps"], [...path, index, "steps"]) }));
  const otherwise = read.find(({ one }) => one["otherwise"] === true)?.steps ?? [];
  const conditional = read.filter(({ one }) => one["when"] !== undefined);
  const shaped = conditional.map(({ one, at, steps }) => ({ when: readPredicate(one["when"] as Raw, [...at, "when"]), steps, path: at }));
  return { kind: "choose", path, cases: shaped, otherwise };
}
