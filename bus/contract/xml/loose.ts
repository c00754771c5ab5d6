/** Reads an element without a schema: header blocks and faults, which others define. Bounded, and nothing of it is trusted. */
import { closeTag, openChild, readCdata, refuseMarkup, skipComment } from "./cursor.ts";
import { decodeUtf8 } from "./chars.ts";
import { cookText, fail, refuseInstruction } from "./state.ts";
import type { Cursor } from "./state.ts";

export type Loose = { readonly local: string; text: string; readonly children: Loose[] };

const MAX_CHILDREN = 1000;

/** The element that was just opened, through its end tag. */
export function readLoose(c: Cursor): Loose {
  const raw = decodeUtf8(c.raw[c.depth - 1] ?? "");
  const element: Loose = { local: raw.slice(raw.indexOf(":") + 1), text: "", children: [] };
  while (!c.empty) {
    const start = c.pos;
    const end = c.src.indexOf("<", start);
    if (end === -1) fail(c, "xml-malformed", `<${raw}> is not closed`, c.src.length);
    element.text += cookText(c, c.src.slice(start, end), start);
    c.pos = end;
    if (c.src.startsWith("</", end)) break;
    if (c.src.startsWith("<!--", end)) skipComment(c);
    else if (c.src.startsWith("<![CDATA[", end)) element.text += readCdata(c);
    else if (c.src.startsWith("<!", end)) refuseMarkup(c);
    else if (c.src.startsWith("<?", end)) refuseInstruction(c);
    else {
      openChild(c);
      if (element.children.length >= MAX_CHILDREN) fail(c, "xml-limit", `<${raw}> has more than ${MAX_CHILDREN} children`, c.at);
      element.children.push(readLoose(c));
    }
  }
  closeTag(c);
  return element;
}
