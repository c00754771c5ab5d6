/** libxml2 as an independent judge of a toolkit's messages: is a body's child valid by the schemas of the WSDL as it was published? */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { XmlBufferInputProvider, XmlDocument, xmlRegisterInputProvider, XsdValidator } from "libxml2-wasm";

export type WsdlJudge = Disposable & Readonly<{ problems(element: string): readonly string[] }>;

const buffers = new XmlBufferInputProvider({});
let registered = false;

/** `folder` holds the WSDL and its schemas; faults of the schemas themselves throw. */
export function wsdlJudge(folder: string, wsdl: string): WsdlJudge {
  registered ||= xmlRegisterInputProvider(buffers);
  const root = `mem/${folder}`;
  const files = readdirSync(folder, { recursive: true }).map(String);
  const schemas = files.filter((file) => file.endsWith(".xsd")).map((file) => ({ file, text: readFileSync(join(folder, file), "utf8") }));
  const inline = files.filter((file) => file.endsWith(".wsdl")).flatMap((file) => inlineSchemas(readFileSync(join(folder, file), "utf8")));
  const named = inline.map((text, i) => ({ file: `inline-${i}.xsd`, text }));
  for (const { file, text } of [...schemas, ...named]) buffers.addBuffer(`${root}/${file}`, Buffer.from(linked(text, named)));
  const imports = [...schemas, ...named]
    .filter(({ text }) => targetOf(text) !== undefined)
    .map(({ file, text }) => `<xs:import namespace="${targetOf(text)}" schemaLocation="${file}"/>`);
  const main = `<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">${imports.join("")}</xs:schema>`;
  const schema = XmlDocument.fromString(main, { url: `${root}/${wsdl}.main.xsd` });
  const validator = XsdValidator.fromDoc(schema);
  return {
    problems(element) {
      using document = XmlDocument.fromString(element);
      try {
        validator.validate(document);
        return [];
      } catch (error) {
        return [error instanceof Error ? error.message : String(error)];
      }
    },
    [Symbol.dispose]() {
      validator.dispose();
      schema.dispose();
    },
  };
}

const targetOf = (text: string): string | undefined =>
  /^[^>]*?\stargetNamespace="([^"]*)"/u.exec(text.slice(text.search(/<(?:\w+:)?schema\b/u)))?.[1];

/** Schemas inside a WSDL, each with the prefixes that stand around it. */
function inlineSchemas(wsdl: string): readonly string[] {
  const head = /<(?:\w+:)?definitions\b([^>]*)>/u.exec(wsdl)?.[1] ?? "";
  const outer = [...head.matchAll(/\s(xmlns:[\w-]+="[^"]*")/gu)].map((match) => match[1] ?? "");
  return [...wsdl.matchAll(/<((?:\w+:)?schema)\b([^>]*)>[\s\S]*?<\/\1>/gu)]
    .filter(([, , own = ""]) => own.includes("targetNamespace="))
    .map(([text, tag = "", own = ""]) => {
      const more = outer.filter((declaration) => !own.includes(`${declaration.split("=")[0]}=`));
      return text.replace(`<${tag}`, `<${tag} ${more.join(" ")}`);
    });
}

/** An import without a location means the schema that stands beside it; of what is nowhere, it is taken out. */
function linked(text: string, named: readonly Readonly<{ file: string; text: string }>[]): string {
  return text.replaceAll(/<((?:\w+:)?import) namespace="([^"]*)"\/>/gu, (_, tag: string, namespace: string) => {
    const other = named.find((one) => targetOf(one.text) === namespace);
    return other === undefined ? "" : `<${tag} namespace="${namespace}" schemaLocation="${other.file}"/>`;
  });
}
