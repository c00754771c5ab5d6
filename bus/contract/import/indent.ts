/** XML that our own writers made, with one element a line; what is empty stays empty. In it `><` stands between tags only: text and attributes escape `<`. */

export function indented(xml: string): string {
  let depth = 0;
  return xml
    .replace(/<([^\s<>/]+)([^<>]*)><\/\1>/g, "<$1$2/>")
    .replace(/>\s*\n\s*</g, "><")
    .replaceAll("><", ">\n<")
    .split("\n")
    .map((line) => {
      if (line.startsWith("</")) depth--;
      const text = `${"  ".repeat(Math.max(0, depth))}${line}`;
      const opens = line.startsWith("<") && !/^<[/?!]/.test(line) && !line.endsWith("/>") && !line.includes("</");
      if (opens) depth++;
      return text;
    })
    .join("\n");
}
