import { describe, expect, it } from "vitest";
import { readSettings } from "#config/settings.ts";
import { optionsOf } from "./connect.ts";

const options = (url: string, tls?: object) => optionsOf({ url, node: "n", ...(tls && { tls }) });
const refused = expect.objectContaining({ code: "configuration" }) as unknown;

describe("the address of NATS", () => {
  it.each([
    ["nats://a", ["a"], false, undefined],
    ["nats://u:p%40@a:1,tls://b:2", ["a:1", "b:2"], false, {}],
    ["ws://u:p%40@a:8080/nats,ws://b", ["ws://a:8080/nats", "ws://b/"], true, undefined],
    ["wss://a", ["wss://a/"], true, undefined],
  ] as const)("%s is connected to", (url, servers, web, tls) => {
    expect(options(url)).toMatchObject({ servers, web });
    expect(options(url).tls).toEqual(tls);
    if (url.includes("@")) expect(options(url)).toMatchObject({ user: "u", pass: "p@" });
  });

  it.each(["a:4222", "http://a", "ws://", "nats:///x", "ws://a,nats://b", "ws://a,wss://b", "nats://a,"])("%s is refused", (url) => {
    expect(() => options(url)).toThrow(refused);
  });

  it("over WebSocket takes no certificates of its own, and hears of no other servers", () => {
    expect(() => options("wss://a", { caFile: "ca.pem" })).toThrow(refused);
    expect(options("ws://a").ignoreClusterUpdates).toBe(true);
    expect(options("nats://a").ignoreClusterUpdates).toBeUndefined();
  });

  it("is judged alike by the settings of the process and by the adapter", () => {
    const kinds = ["nats://a:1", "tls://a:1", "ws://a:1", "wss://a:1", "http://a:1", "a:1", ""];
    for (const one of kinds)
      for (const other of kinds) {
        const url = [one, other].join(",");
        const judge = (run: () => unknown): boolean => {
          try {
            run();
            return true;
          } catch {
            return false;
          }
        };
        expect(
          judge(() => readSettings({ NATS_URL: url })),
          url,
        ).toBe(judge(() => options(url)));
      }
  });
});
