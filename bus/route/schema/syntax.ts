/** What a fault of the YAML parser means to the person who wrote the file, and what to write instead. */
import type { YAMLError } from "yaml";

const WORDS: Readonly<Record<string, string>> = {
  ALIAS_PROPS: "an alias (`*name`) takes no tag and no anchor; write only `*name`",
  BAD_ALIAS: "this alias (`*name`) cannot be read; define `&name` before it, or quote the text if it is no alias",
  BAD_COLLECTION_TYPE: "a tag does not fit this value; leave the tag (`!…`) out",
  BAD_DIRECTIVE: "a line that begins with % is a YAML directive; quote it if it is text",
  BAD_DQ_ESCAPE: "this backslash sequence means nothing in double quotes; write \\\\ for a backslash, or use single quotes",
  BAD_INDENT: "this line is indented otherwise than its neighbours; give all keys of one block the same number of spaces",
  BAD_PROP_ORDER: "an anchor or tag must stand before the value it belongs to",
  BAD_SCALAR_START: "a value cannot begin with this character; put the value in quotes",
  BLOCK_AS_IMPLICIT_KEY: "a nested block cannot stand here; begin it on a new line and indent it, or quote a text that holds `: `",
  BLOCK_IN_FLOW: "an indented block cannot stand between { } or [ ]; write it on one line, or leave the brackets out",
  IMPOSSIBLE: "this is not readable as YAML",
  KEY_OVER_1024_CHARS: "a key is longer than 1024 characters; is a `: ` missing?",
  MISSING_CHAR: "a character is missing",
  MULTILINE_IMPLICIT_KEY: "this key runs over several lines; is a `:` missing after it, or a quote open?",
  MULTIPLE_ANCHORS: "a value takes only one anchor (`&name`)",
  MULTIPLE_DOCS: "a second document begins here without `---`",
  MULTIPLE_TAGS: "a value takes only one tag",
  NON_STRING_KEY: "a key must be a name",
  TAB_AS_INDENT: "this line is indented by a tab; YAML takes spaces only, so replace the tab by spaces",
  TAG_RESOLVE_FAILED: "tags (`!…`) are not known here; leave the tag out, or quote the text",
  UNEXPECTED_TOKEN: "this does not belong here; is the line before it complete?",
};

/** One sentence for one parser error. The parser's own words stay only where they name the missing character. */
export function plainWords(error: YAMLError, text: string): string {
  if (/^[ ]*\t/.test(lineAt(text, error.pos[0]))) return WORDS["TAB_AS_INDENT"] ?? error.message;
  const words = WORDS[error.code] ?? error.message.split("\n")[0] ?? error.code;
  if (error.code === "BAD_INDENT" && /flow/i.test(error.message)) return OPEN_BRACKET;
  if (error.code === "MISSING_CHAR") return missing(error.message);
  return words;
}

/** A key that stands twice; the parser does not look for it. */
export function twiceWords(name: string): string {
  return `\`${name.slice(0, 64)}\`: this key stands twice in one block; remove one of them`;
}

const OPEN_BRACKET = "brackets that open above are not closed; add `}` or `]` at the end of the line before";

function missing(message: string): string {
  if (message.includes("without - indicator")) {
    return "this line is indented less than the `- ` item it belongs to; line up all keys of one item";
  }
  if (/closing "quote/i.test(message) || message.includes('"quote')) return 'the text in double quotes never ends; add the closing "';
  if (message.includes("'quote")) return "the text in single quotes never ends; add the closing '";
  const char = /(?:expected|with(?: a)?|end with an?|ends? with) (?:an? )?(\}|\]|,|:|space|newline)/i.exec(message)?.[1];
  if (/flow (map|sequence)/i.test(message)) {
    const close = message.includes("map") ? "}" : "]";
    return `brackets that open here or above are not closed as they should; add \`,\` between the items and \`${close}\` at the end`;
  }
  return char === undefined ? `a character is missing: ${message.split("\n")[0] ?? ""}` : `a \`${char}\` is missing here`;
}

function lineAt(text: string, offset: number): string {
  const start = text.lastIndexOf("\n", Math.max(0, offset - 1)) + 1;
  const end = text.indexOf("\n", start);
  return text.slice(start, end < 0 ? undefined : end);
}
