/** JSON Schema of an event type, in the drafts that MConnect Events knows: 6, 7, 2019-09 and 2020-12. Compiled once. */
import { Ajv, type ErrorObject, type ValidateFunction } from "ajv";
import { Ajv2019 } from "ajv/dist/2019.js";
import { Ajv2020 } from "ajv/dist/2020.js";
import draft6 from "ajv/dist/refs/json-schema-draft-06.json" with { type: "json" };
import addFormats from "ajv-formats";
import { BusError, type Place } from "#bus/errors.ts";

/** Not strict: an unknown keyword is an annotation, as the drafts say. Stops at the first fault, which bounds the work. */
const OPTIONS = { strict: false, allErrors: false, validateSchema: true, meta: true } as const;

const JUDGES: Readonly<Record<string, () => Pick<Ajv, "compile">>> = {
  "http://json-schema.org/draft-06/schema": () => addFormats.default(new Ajv(OPTIONS).addMetaSchema(draft6)),
  "http://json-schema.org/draft-07/schema": () => addFormats.default(new Ajv(OPTIONS)),
  "https://json-schema.org/draft/2019-09/schema": () => addFormats.default(new Ajv2019(OPTIONS)),
  "https://json-schema.org/draft/2020-12/schema": () => addFormats.default(new Ajv2020(OPTIONS)),
};

/** Throws `configuration` for what is no JSON Schema of a known draft; references to other documents are refused. */
export function compileJsonSchema(text: string): (data: unknown) => readonly Place[] {
  const validate = compile(text);
  return (data) => {
    if (validate(data)) return [];
    return (validate.errors ?? []).slice(0, 20).map((error) => ({ path: error.instancePath.replaceAll("/", "."), text: sentence(error) }));
  };
}

function compile(text: string): ValidateFunction {
  let schema: unknown;
  try {
    schema = JSON.parse(text);
  } catch (error) {
    throw new BusError("configuration", `the JSON Schema is no JSON: ${(error as Error).message}`, { cause: error });
  }
  if (typeof schema !== "object" || schema === null) throw new BusError("configuration", "a JSON Schema is an object");
  const draft = "$schema" in schema ? String(schema.$schema).replace(/#$/u, "") : "";
  const judge = JUDGES[draft];
  if (!judge)
    throw new BusError(
      "configuration",
      `\`$schema\` is ${draft === "" ? "missing" : `\`${draft}\``}; write one of ${Object.keys(JUDGES).join(", ")}`,
    );
  try {
    return judge().compile(schema);
  } catch (error) {
    throw new BusError("configuration", `it is no JSON Schema of ${draft}: ${(error as Error).message}`, { cause: error });
  }
}

/** What is wrong and what may stand there; never the value itself. */
function sentence({ keyword, message = "does not fit", params }: ErrorObject): string {
  const facts = params as Readonly<Record<string, unknown>>;
  switch (keyword) {
    case "enum":
      return `must be one of ${JSON.stringify(facts["allowedValues"])}`;
    case "const":
      return `must be ${JSON.stringify(facts["allowedValue"])}`;
    case "additionalProperties":
      return `must not have the member ${JSON.stringify(facts["additionalProperty"])}`;
    default:
      return message;
  }
}
