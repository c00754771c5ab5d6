import { describe, expect, it } from "vitest";
import { mailOutlet } from "./mail.ts";

const options = { server: "mail.example.md", from: "noreply@cnas.gov.md", to: "{email}", subject: "s", text: "t" };
const secrets: Readonly<Record<string, string>> = { "mail/user": "bus", "mail/password": "hunter2" };
const secret = (name: string): string => {
  const found = secrets[name];
  if (found === undefined) throw new Error(`secret ${name} is not set`);
  return found;
};
const make = (more: Record<string, unknown> = {}, development = false) =>
  mailOutlet({ secret, development }, { ...options, ...more }, 10_000);

describe("the mail outlet of a branch", () => {
  it.each([
    [{}, "smtp://mail.example.md:587"],
    [{ security: "tls" }, "smtp://mail.example.md:465"],
    [{ security: "tls", server: "mail.example.md:2525" }, "smtp://mail.example.md:2525"],
    [{ user: "${secret:mail/user}", password: "${secret:mail/password}" }, "smtp://mail.example.md:587"],
  ])("of %j calls %s, and its name shows no account", (more, endpoint) => {
    expect(make(more).endpoint).toBe(endpoint);
  });

  it("speaks without TLS on a developer's machine and nowhere else", () => {
    expect(make({ security: "none" }, true).endpoint).toBe("smtp://mail.example.md:587");
    expect(() => make({ security: "none" })).toThrow("for development only");
  });

  it.each([
    [{ user: "bus" }, "needs `user` and `password`"],
    [{ user: "${secret:mail/user}", password: "${secret:mail/other}" }, "secret mail/other is not set"],
    [{ html: "<script>{x}</script>" }, "inside <script>"],
    [{ to: "{a..b}" }, "no field path"],
  ])("is refused when the route is loaded: %j", (more, why) => {
    expect(() => make(more)).toThrow(why);
  });
});
