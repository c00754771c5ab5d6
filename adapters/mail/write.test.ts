import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { AvroRecord } from "#bus/envelope.ts";
import { messageOf } from "#test/harness/message.ts";
import { compileMail, messageId, type MailTemplate } from "./write.ts";

const good: MailTemplate = { from: "noreply@cnas.gov.md", to: "{email}", subject: "Decision {number}", text: "Dear {name},\n{body}\n" };
const writer = (template: Partial<MailTemplate> = {}) => compileMail({ ...good, ...template }, 100_000);
const to = (value: unknown, template: Partial<MailTemplate> = {}) => writer(template).recipients(messageOf({ email: value }));
const mail = async (value: AvroRecord, template: Partial<MailTemplate> = {}, id = "m-1"): Promise<string> =>
  (await writer(template).write(messageOf(value, { id }), "ana@example.md")).toString("utf8");
/** Header lines, unfolded. */
const headers = (raw: string): string[] => (raw.split("\r\n\r\n", 1)[0] ?? "").replace(/\r\n[ \t]+/gu, " ").split("\r\n");

describe("recipients", () => {
  it("are one address, a list, or fixed ones with commas; each once, in order", () => {
    expect(to("ana@example.md")).toEqual(["ana@example.md"]);
    expect(to([" b@example.md", "a@example.md", "b@example.md"])).toEqual(["b@example.md", "a@example.md"]);
    expect(to("ana@example.md", { to: "duty@cnas.gov.md, {email}" })).toEqual(["duty@cnas.gov.md", "ana@example.md"]);
  });

  it.each([
    "",
    "nobody",
    "a@b",
    "a b@example.md",
    "a@example.md\r\nBcc: all@example.md",
    "a@example.md\nx",
    "a@example.md>",
    "<a@example.md>",
    "a@example.md,b@example.md",
    "Ana <a@example.md>",
    '"a b"@example.md',
    "a@[127.0.0.1]",
    "a@exa_mple.md",
    "a@-example.md",
    "a..b@example.md",
    ".a@example.md",
    "ț@example.md",
    "a@example.md\0",
    `${"a".repeat(250)}@example.md`,
    null,
    7,
    { address: "a@example.md" },
  ])("%j is none, and is not repeated in the error", (value) => {
    const text = typeof value === "string" && value.length > 3 ? value : "\u0000never";
    expect(() => to(value)).toThrow(
      expect.objectContaining({ code: "map-failed", message: expect.not.stringContaining(text) as string }) as Error,
    );
  });

  it("are told by number where one of several is wrong, and are at most fifty", () => {
    expect(() => to(["a@example.md", "b"])).toThrow("recipient 2 of 2 is no plain e-mail address");
    expect(() => to([])).toThrow("the recipient is no plain");
    const many = Array.from({ length: 51 }, (_, n) => `a${n}@example.md`);
    expect(to(many.slice(1))).toHaveLength(50);
    expect(() => to(many)).toThrow("at most 50 addresses, and this one has 51");
  });
});

describe("a mail", () => {
  it("has the sender's name, the one recipient, an id of the message's, its time, and says that a program wrote it", async () => {
    const lines = headers(await mail({ number: "7", name: "Ana", body: "" }, { sender: "CNAS, Chișinău" }));
    expect(lines).toEqual(
      expect.arrayContaining([
        "To: ana@example.md",
        "Subject: Decision 7",
        "Message-ID: <m-1@cnas.gov.md>",
        "Date: Mon, 04 May 2026 09:00:00 +0000",
        "Auto-Submitted: auto-generated",
      ]),
    );
    expect(lines.find((line) => line.startsWith("From:"))).toMatch(/^From: =\?UTF-8\?.*\?= <noreply@cnas\.gov\.md>$/u);
  });

  it("has no header but its own, whatever the fields hold", async () => {
    const names = (raw: string): string[] => headers(raw).map((line) => line.slice(0, line.indexOf(":")));
    const own = names(await mail({ number: "1", name: "a", body: "b" }));
    const nasty = fc.array(
      fc.constantFrom("\r\n", "\n", "\r", "Bcc: x@example.md", ":", " ", "\0", "\u2028", "\u0085", "=?UTF-8?Q?a?=", "ș"),
      { maxLength: 12 },
    );
    await fc.assert(
      fc.asyncProperty(nasty, async (parts) => {
        const text = parts.join("");
        const raw = await mail({ number: text, name: "a", body: "b" });
        expect(names(raw)).toEqual(own);
        expect(headers(raw).filter((line) => /^Bcc/iu.test(line))).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });

  it("shows a field in HTML as text, never as markup", async () => {
    const html = '<p title="{name}">Dear {name}</p><a href="https://cnas.gov.md/case/{number}">open</a>';
    const raw = await mail({ number: "7", name: `<img src=x onerror='a("b")'>&`, body: "" }, { html });
    const decoded = raw
      .replace(/=\r\n/gu, "")
      .replace(/=([0-9A-F]{2})/gu, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
    const shown = "&lt;img src=x onerror=&#39;a(&quot;b&quot;)&#39;&gt;&amp;";
    expect(decoded).toContain(`<p title="${shown}">Dear ${shown}</p><a href="https://cnas.gov.md/case/7">open</a>`);
    expect(decoded.split("multipart/alternative")).toHaveLength(2);
  });

  it("reads no file and fetches nothing that a field names", async () => {
    const raw = await mail({ number: "1", name: "file:///etc/passwd", body: "https://example.md/secret" }, { html: "<img alt='{body}'>" });
    expect(raw).not.toContain("root:");
    expect(raw).toContain("file:///etc/passwd");
  });

  it("is bounded, subject and whole", async () => {
    await expect(mail({ number: "x".repeat(600), name: "", body: "" })).rejects.toMatchObject({ code: "message-too-large" });
    await expect(mail({ number: "1", name: "", body: "x".repeat(100_001) })).rejects.toMatchObject({ code: "message-too-large" });
  });
});

describe("a template is refused when the route is loaded", () => {
  it.each([
    ["<script>var a = '{name}'</script>", "inside <script>"],
    ["<STYLE>p { color: red } .{name}</STYLE>", "inside <STYLE>"],
    ["<a href='{link}'>x</a>", "at the start of href"],
    ['<a href="https://{host}/x">x</a>', "at the start of href"],
    ['<a href="https://cnas.gov.md{path}">x</a>', "at the start of href"],
    ['<img src="javascript:{x}">', "at the start of src"],
    ["<p onclick=\"go('{id}')\">", "in the attribute onclick"],
    ['<p style="color:{color}">', "in the attribute style"],
    ["<p title={name}>", "outside a quoted attribute"],
    ["<{name}>", "outside a quoted attribute"],
    ["<p {name}>", "outside a quoted attribute"],
  ])("with %j", (html, why) => {
    expect(() => writer({ html })).toThrow(why);
  });

  it.each([
    "<style>p { color: red }</style><p>{name}</p>",
    "<p title=\"a {name} b\" class='x'>{name} < 5</p>",
    '<a href="mailto:x@y.md?subject={name}">m</a>',
  ])("and not with %j", (html) => {
    expect(() => writer({ html })).not.toThrow();
  });

  it.each(["nobody", "CNAS <noreply@cnas.gov.md>", "a@b.md\nBcc: c@d.md"])("from %j", (from) => {
    expect(() => writer({ from })).toThrow(expect.objectContaining({ code: "configuration" }) as Error);
  });
});

it("different ids never make the same Message-ID, and each fits the header", () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 100 }), fc.string({ maxLength: 100 }), (a, b) => {
      if (a.isWellFormed() && b.isWellFormed()) expect(messageId(a) === messageId(b)).toBe(a === b);
      expect(messageId(a)).toMatch(/^[A-Za-z0-9_=-]{0,180}$/u);
    }),
  );
});
