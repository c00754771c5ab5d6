/** Ids of a signed document. A reference must not be able to mean two elements, whichever attribute names them. */
import { BusError } from "../errors.ts";
import { XML_NS } from "../contract/xml/names.ts";
import type { Cursor } from "../contract/xml/state.ts";
import { WSU } from "./names.ts";

export interface Ids {
  /** Notes the ids of the element that was just opened, and gives them. Throws signature-shape for one that stood before. */
  note(c: Cursor): readonly string[];
  /** Throws signature-shape where a mere `id` attribute has the value of a reference too. */
  unambiguous(id: string): void;
}

const NONE: readonly string[] = [];

export function collectIds(): Ids {
  const seen = new Set<string>();
  /** Lower-case `id` is a common name in payloads, so it may repeat; it only must not look like what is signed. */
  const plain = new Set<string>();
  return {
    note(c) {
      if (c.attributes === 0) return NONE;
      let found: string[] | undefined;
      for (let i = 0; i < c.attributes; i++) {
        const { ns = "", local = "" } = c.attributeNames[i] ?? {};
        const value = c.attributeValues[i] ?? "";
        if (local === "id" && ns === "") plain.add(value);
        const counts =
          ((local === "Id" || local === "ID") && (ns === "" || ns === WSU)) || (local === "id" && (ns === XML_NS || ns === WSU));
        if (!counts) continue;
        if (seen.has(value)) throw new BusError("signature-shape", `the id "${value.slice(0, 60)}" stands twice in a signed message`);
        seen.add(value);
        (found ??= []).push(value);
      }
      return found ?? NONE;
    },
    unambiguous(id) {
      if (plain.has(id)) throw new BusError("signature-shape", `the id "${id.slice(0, 60)}" stands twice in a signed message`);
    },
  };
}
