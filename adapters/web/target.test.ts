import type { IncomingMessage } from "node:http";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hostCheck, readTarget, type Target } from "./target.ts";

const request = (url: string, ...rawHeaders: readonly string[]): IncomingMessage => ({ url, rawHeaders }) as unknown as IncomingMessage;
const read = (url: string, host = "localhost") => readTarget(request(url, "Host", host), hostCheck(["mlog.gov.md", "*.gov.md"]));
const path = (url: string): string | undefined => ("path" in read(url) ? (read(url) as Target).path : undefined);

describe("the host", () => {
  it.each([
    "localhost",
    "LOCALHOST:8080",
    "127.0.0.1:1",
    "[::1]",
    "[::1]:65535",
    "mlog.localhost",
    "a.b.localhost",
    "mlog.gov.md",
    "MPass.Gov.MD:443",
  ])("%s is served", (host) => {
    expect(read("/", host)).toMatchObject({ path: "/", host });
  });
  it.each([
    "",
    "gov.md",
    ".gov.md",
    "evil-gov.md",
    "gov.md.evil.org",
    "localhost.",
    "localhost.evil.org",
    ".localhost",
    "127.0.0.2",
    "0.0.0.0",
    "[::2]",
    "[::1",
    "a b",
    "localhost:80:80",
    "localhost:",
    "localhost:123456",
    "user@localhost",
    "localhost/x",
    "localhost#",
    "ș.gov.md",
    "x".repeat(300),
  ])("%j is not", (host) => {
    expect(read("/", host)).toMatchObject({ status: 400, close: true });
  });
  it("stands once: two of them, in any letters, are refused even where they agree", () => {
    const allowed = hostCheck([]);
    expect(readTarget(request("/", "Host", "localhost", "host", "localhost"), allowed)).toMatchObject({ status: 400 });
    expect(readTarget(request("/", "Host", "localhost", "X", "1", "HOST", "evil"), allowed)).toMatchObject({ status: 400 });
    expect(readTarget(request("/", "X-Forwarded-Host", "localhost"), allowed)).toMatchObject({ status: 400 });
  });
  it("in a refusal is shown, so that the administrator can add it", () => {
    expect(read("/", "other.md")).toMatchObject({
      detail: 'The name "other.md" is not served here; add it to the configured host names if it should be.',
    });
  });
});

describe("the path", () => {
  it.each([
    ["/", "/"],
    ["/a/b", "/a/b"],
    ["/a/b/", "/a/b/"],
    ["/a//b", "/a//b"],
    ["/a?b/../c", "/a"],
    ["/a%20b", "/a b"],
    ["/%C8%98", "/Ș"],
    ["/a%2Fb", "/a/b"],
    ["/%252e%252e/", "/%2e%2e/"],
    ["/a.b/..c/d..", "/a.b/..c/d.."],
    ["/a:b@c!$&'()*+,;=~", "/a:b@c!$&'()*+,;=~"],
    ["/a?", "/a"],
  ])("%s is %s", (url, wanted) => {
    expect(path(url)).toBe(wanted);
  });
  it.each([
    "",
    "*",
    "a",
    "//evil.org/x",
    "http://localhost/x",
    "https://evil.org/",
    "/..",
    "/../a",
    "/a/..",
    "/a/../b",
    "/.",
    "/./a",
    "/a/.",
    "/%2e%2e/a",
    "/a/%2E%2e",
    "/%2e",
    "/a%2f..%2fb",
    "/%2f/evil.org",
    "/%2F",
    "/a\\b",
    "/a%5cb",
    "/a%00",
    "/a%0d%0ab",
    "/a%7f",
    "/%c2%85",
    "/%",
    "/%2",
    "/%zz",
    "/%ff",
    "/%c0%ae%c0%ae/",
    "/%ed%a0%80",
    "/a#b",
  ])("%j is refused", (url) => {
    expect(read(url)).toMatchObject({ status: 400, title: "Request is not accepted" });
  });
  it("has, whatever was sent, one slash first, no dot segment and no control character, or is refused", () => {
    const part = fc.oneof(
      fc.constantFrom("/", ".", "..", "%2e", "%2f", "%5c", "%00", "%25", "a", "?", "//", "%c0%af", "\\"),
      fc.string({ maxLength: 3 }),
    );
    const url = fc.array(part, { maxLength: 8 }).map((parts) => `/${parts.join("")}`);
    fc.assert(
      fc.property(url, (sent) => {
        const found = path(sent);
        if (found === undefined) return;
        expect(found).toMatch(/^\/(?!\/)/u);
        expect(found.split("/")).not.toContain("..");
        expect(found.split("/")).not.toContain(".");
        expect(found).not.toMatch(/[\p{Cc}\\]/u);
      }),
      { numRuns: 2_000 },
    );
  });
  it("and query part at the first question mark, and the query stays as it came", () => {
    expect(read("/a?x=%00&y=/../?z")).toMatchObject({ path: "/a", query: "x=%00&y=/../?z" });
  });
});
