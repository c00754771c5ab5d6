/** From a message to mails: who gets one, and its bytes. What a field holds can neither add a header nor a recipient nor markup. */
import { createHash } from "node:crypto";
import { createRequire } from "node:module";
import type MailComposer from "nodemailer/lib/mail-composer";
import { compileOnly, compileTemplate, fieldsOf, type Encode } from "#bus/edge/template.ts";
import type { Message } from "#bus/envelope.ts";
import { BusError } from "#bus/errors.ts";

export type MailTemplate = Readonly<{ from: string; sender?: string; to: string; subject: string; text: string; html?: string }>;

export type Writer = Readonly<{
  /** In order, none twice. Throws map-failed. */
  recipients(message: Message): readonly string[];
  /** The whole mail to one of them, headers and body. Throws map-failed and message-too-large. */
  write(message: Message, recipient: string): Promise<Buffer>;
}>;

/** Loaded at its first use: a bus without such routes spends neither time nor memory on it. */
const library = (): typeof MailComposer => createRequire(import.meta.url)("nodemailer/lib/mail-composer") as typeof MailComposer;

const MOST_RECIPIENTS = 50;
const LONGEST_SUBJECT = 500;

/** Plain addresses (RFC 5321 dot-string, host name with a dot): no quotes, comments, lists or letters beyond ASCII. */
const ADDRESS =
  /^(?=.{3,254}$)[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/u;

/** Throws `configuration` where a template is unsafe, names no field path, or the sender has no address. */
export function compileMail(template: MailTemplate, maxBytes: number): Writer {
  if (!ADDRESS.test(template.from))
    throw new BusError("configuration", "`from` of a mail must be one plain address, as in noreply@cnas.gov.md");
  if (template.html !== undefined) checkHtml(template.html);
  const recipients = compileRecipients(template.to);
  const subject = compileTemplate(template.subject, oneLine);
  const text = compileTemplate(template.text, plain);
  const html = template.html === undefined ? undefined : compileTemplate(template.html, escapeHtml);
  const host = template.from.slice(template.from.indexOf("@") + 1);
  return {
    recipients,
    async write(message, recipient) {
      const { envelope } = message;
      const title = subject(message);
      if (title.length > LONGEST_SUBJECT)
        throw new BusError("message-too-large", `the subject has more than ${LONGEST_SUBJECT} characters`);
      const composer = new (library())({
        from: { name: template.sender ?? "", address: template.from },
        to: { name: "", address: recipient },
        subject: title,
        text: text(message),
        ...(html && { html: html(message) }),
        messageId: `<${messageId(envelope.id)}@${host}>`,
        date: new Date(envelope.time),
        headers: { "Auto-Submitted": "auto-generated" },
        disableFileAccess: true,
        disableUrlAccess: true,
      });
      const bytes = await composer.compile().build();
      if (bytes.byteLength > maxBytes) throw new BusError("message-too-large", `the mail has more than ${maxBytes} bytes`);
      return bytes;
    },
  };
}

/** The envelope's id in the letters of a Message-ID; the same for each attempt, so that mailboxes know a mail that came twice. */
export function messageId(id: string): string {
  const plainId = id.replace(/[^A-Za-z0-9_-]/gu, (char) =>
    Array.from(Buffer.from(char), (byte) => `=${byte.toString(16).padStart(2, "0")}`).join(""),
  );
  return plainId.length <= 180 ? plainId : createHash("sha256").update(id).digest("hex");
}

function compileRecipients(to: string): (message: Message) => readonly string[] {
  const only = compileOnly(to);
  const filled = compileTemplate(to, plain);
  return (message) => {
    const value = only ? only(message) : filled(message).split(",");
    const list = (Array.isArray(value) ? (value as unknown[]) : [value]).map((one) => (typeof one === "string" ? one.trim() : ""));
    if (list.length > MOST_RECIPIENTS)
      throw new BusError("map-failed", `a mail goes to at most ${MOST_RECIPIENTS} addresses, and this one has ${list.length}`);
    const wrong = list.findIndex((address) => !ADDRESS.test(address));
    // the address itself is personal data and stays out of errors
    if (wrong >= 0 || list.length === 0)
      throw new BusError(
        "map-failed",
        list.length > 1
          ? `recipient ${wrong + 1} of ${list.length} is no plain e-mail address`
          : "the recipient is no plain e-mail address",
      );
    return [...new Set(list)];
  };
}

const plain: Encode = (text) => text ?? "";
const oneLine: Encode = (text) => (text ?? "").replace(/[\p{Cc}\u2028\u2029]+/gu, " ");

const ENTITIES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;", "`": "&#96;" };
const escapeHtml: Encode = (text) => (text ?? "").replace(/[&<>"'`]/gu, (char) => ENTITIES[char] ?? "");

/** Escaping is enough in text and in quoted attributes that are no address, style or script; elsewhere a field is refused. */
function checkHtml(html: string): void {
  let inside = "";
  for (const [at, piece] of html.split(/(<[^>]*>?)/u).entries()) {
    const tag = at % 2 === 1;
    if (tag) {
      const [, slash, name] = /^<(\/?)\s*([a-z0-9]*)/iu.exec(piece) ?? [];
      if (/^(?:script|style)$/iu.test(name ?? "")) inside = slash === "/" ? "" : (name ?? "");
    }
    if (fieldsOf(piece).length === 0) continue;
    if (inside !== "") throw unsafe(`inside <${inside}>`);
    if (!tag) continue;
    const rest = piece.replace(/\s[a-z-]+\s*=\s*(?:"[^"]*"|'[^']*')/giu, (attribute) => checkAttribute(attribute));
    if (fieldsOf(rest).length > 0) throw unsafe("in a tag outside a quoted attribute");
  }
}

function checkAttribute(attribute: string): string {
  const [, name = "", value = ""] = /^\s([a-z-]+)\s*=\s*["']([^]*)["']$/iu.exec(attribute) ?? [];
  if (fieldsOf(value).length === 0) return "";
  if (/^(?:on|style$)/iu.test(name)) throw unsafe(`in the attribute ${name}`);
  const lead = value.slice(0, value.search(/\{\$?[A-Za-z_]/u));
  if (/^(?:href|src|action|formaction|background|poster|cite|data)$/iu.test(name) && !/^https?:\/\/[^/{}]+\/|^mailto:/iu.test(lead))
    throw unsafe(`at the start of ${name}: where a link leads must be written out, up to its path`);
  return "";
}

const unsafe = (where: string): BusError =>
  new BusError("configuration", `\`html\` of a mail has a field ${where}; fields may stand in its text and in quoted attributes`);
