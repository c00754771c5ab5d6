/** Schemas of contracts in the registry: ids for framing, and texts of other versions for reading what they wrote. */
import type { Registry } from "#bus/ports.ts";

export type Schemas = Readonly<{
  /** Registers a schema under its type's id, or finds it there. */
  idOf: (subject: string, schema: string) => Promise<number>;
  /** Text of a schema that was registered or fetched before. */
  lookup: (id: number) => string | undefined;
}>;

type Listed = Registry &
  Readonly<{ all(options: Readonly<{ deleted: boolean }>): Promise<readonly Readonly<{ id: number; schema: string }>[]> }>;

/** Reads all versions once: a message of years ago is read with the schema it was written under. */
export async function openSchemas(registry: Listed): Promise<Schemas> {
  const texts = new Map((await registry.all({ deleted: true })).map(({ id, schema }) => [id, schema]));
  return {
    async idOf(subject, schema) {
      const id = await registry.register(subject, schema);
      texts.set(id, schema);
      return id;
    },
    lookup: (id) => texts.get(id),
  };
}
