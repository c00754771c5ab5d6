/** A test document's checked value to its typed form. */
import type { Located } from "./documents.ts";
import type { CaseDoc, ExpectDoc, MockDoc, TestDoc } from "./documents-test.ts";
import type { ErrorClass } from "../errors.ts";
import type { Raw } from "./documents-shapes.ts";

export function readTest(value: Raw, base: Located): TestDoc {
  const route = String(value["route"]);
  const cases = (value["cases"] as readonly Raw[]).map((one, index) => readCase(one, index));
  return { ...base, kind: "test", id: `${route} ${base.source.file}:${base.source.line}`, route, cases };
}

function readCase(value: Raw, index: number): CaseDoc {
  const given = value["given"] as Raw;
  const mocks = Object.entries((value["mocks"] ?? {}) as Raw).map(
    ([name, answers]) => [name, [answers as Raw].flat().map(readMock)] as const,
  );
  return {
    name: String(value["name"]),
    ...(value["at"] === undefined ? {} : { at: Number(value["at"]) }),
    given: {
      ...(given as Omit<CaseDoc["given"], "headers" | "call">),
      headers: headersOf(given["headers"] as Readonly<Record<string, string>> | undefined),
      call: given["call"] ?? {},
    },
    mocks: Object.fromEntries(mocks),
    expect: value["expect"] as ExpectDoc,
    path: ["cases", index],
  };
}

/** Header names do not tell capitals from small letters; inside the bus they are small. */
function headersOf(given: Readonly<Record<string, string>> | undefined): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(given ?? {}).map(([name, text]) => [name.toLowerCase(), text]));
}

function readMock(answer: Raw): MockDoc {
  const { reply, fail, code } = answer as { reply?: string | Raw; fail?: ErrorClass; code?: string };
  if (fail !== undefined) return { kind: "fail", class: fail, ...(code === undefined ? {} : { code }) };
  return typeof reply === "string" ? { kind: "reply", file: reply } : { kind: "reply", json: reply ?? {} };
}
