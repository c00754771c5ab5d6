/** Route files that push replies and hold callers: what is compiled, explained, shown, and refused by lint. */
import { describe, expect, it } from "vitest";
import { ORDER, routeWorld, type RouteWorld } from "#test/harness/route-world.ts";
import { effectiveRoute } from "./effective.ts";
import { explainRoute } from "./explain.ts";
import type { Route } from "./runtime.ts";

const REPLIES = "replies: [{ name: back, system: office/erp, http: { path: /replies } }]\n";
const PUSHED = `${ORDER}${REPLIES}`;

const worldOf = (text: string, file = "routes/order.yaml"): Promise<RouteWorld> => routeWorld({ "routes/order.yaml": ORDER, [file]: text });
async function compiled(text: string): Promise<Route> {
  const world = await worldOf(text);
  const route = world.set.routes.get("person-order");
  if (!route) throw new Error(JSON.stringify([...world.lint, ...world.findings]));
  return route;
}
const said = async (text: string): Promise<readonly string[]> =>
  (await worldOf(text)).lint
    .filter(({ file }) => file === "routes/order.yaml")
    .map(({ severity, rule, text: what }) => `${severity} ${rule}: ${what}`);

describe("a route that pushes replies", () => {
  it("has for each sender a branch that speaks the reply's type as news, at the sender's registered addresses", async () => {
    const { replies = [], reply, branches } = await compiled(PUSHED);
    expect(replies.map(({ name, system, addresses }) => [name, system, addresses])).toEqual([
      ["back", "office/erp", ["http://erp.test/replies"]],
    ]);
    const [branch] = replies;
    expect(new TextDecoder().decode(branch?.binding.codec?.write({ number: 5 }))).toBe('{"number":5}');
    expect([branch?.binding.replyCodec, branch?.deliver.retry.attempts, reply?.id]).toEqual([undefined, 12, "person.done.v1"]);
    expect(branches.map(({ name }) => name)).toEqual(["to"]);
  });

  it("is of another revision than without, so that a reload takes it", async () => {
    const [without, pushed, elsewhere] = [
      await compiled(ORDER),
      await compiled(PUSHED),
      await compiled(PUSHED.replace("/replies", "/back")),
    ];
    expect(new Set([without.revision, pushed.revision, elsewhere.revision]).size).toBe(3);
  });

  it("maps the reply to what the sender speaks", async () => {
    const text = PUSHED.replace("http: { path: /replies }", "http: { path: /replies }, map: ./map/back.map.yaml");
    const world = await routeWorld({ "routes/order.yaml": text, "routes/map/back.map.yaml": "map:\n  Nr: number\n" });
    const [branch] = world.set.routes.get("person-order")?.replies ?? [];
    expect(await branch?.in?.({ number: 5 }, undefined)).toEqual({ Nr: 5 });
    expect(world.lint.filter(({ rule }) => rule === "map-unused")).toEqual([]);
  });

  it("is explained, and shown whole as a route that is valid again", async () => {
    const { documents } = await worldOf(PUSHED.replace("http: {}", "wait: 8s, http: {}"));
    const text = explainRoute(documents, "person-order") ?? "";
    expect(text).toContain("through rest: the caller is held for 8s, then it gets a ticket.");
    expect(text).toContain("back: pushed to office/erp through http (/replies), with the ticket as its id.");
    const shown = effectiveRoute(documents, "person-order")?.yaml ?? "";
    expect(shown).toContain("replies:");
    expect((await compiled(shown.replace("routes/", ""))).replies).toHaveLength(1);
  });

  it.each([
    [
      "in a query",
      ORDER.replace("command: person.order.v1, reply: person.done.v1", "request: person.request.v1, reply: person.reply.v1") + REPLIES,
      "error replies: only a command with a reply has replies to push",
    ],
    [
      "to a system that is not registered",
      PUSHED.replace("system: office/erp, http: { path: /replies }", "system: office/nobody, http: { path: /replies }"),
      "error unknown-system: there is no system `office/nobody`",
    ],
    ["under the name of another branch", PUSHED.replace("name: back", "name: to"), "error replies: `to` is the name of another branch"],
    [
      "twice to one system",
      `${ORDER}replies: [{ name: a, system: office/erp, http: {} }, { name: b, system: office/erp, http: {} }]\n`,
      "error replies: the replies of `office/erp` have an address already",
    ],
    [
      "to who never sends",
      PUSHED.replace("system: office/erp, http: { path: /replies }", "system: register/main, http: { path: /replies }"),
      "warn replies: `register/main` sends no command here",
    ],
    ["into a file, which is no address of a system", PUSHED.replace("http: { path: /replies }", "file: {}"), "error"],
    ["without a system", PUSHED.replace("system: office/erp, http: { path: /replies }", "http: { path: /replies }"), "error"],
    ["to an address that the message would name", PUSHED.replace("path: /replies", "url: { field: headers.reply-to }"), "error"],
  ])("is told %s", async (_, text, finding) => {
    expect((await said(text)).filter((line) => line.startsWith(finding))).not.toEqual([]);
  });

  it("is sound as it stands here", async () => {
    expect((await said(PUSHED)).filter((line) => line.startsWith("error"))).toEqual([]);
  });
});

describe("a source that holds its caller", () => {
  it("says for how long, in a command only", async () => {
    expect((await compiled(ORDER.replace("http: {}", "wait: 8s, http: {}"))).sources[0]?.wait).toBe(8000);
    expect((await compiled(ORDER)).sources[0]?.wait).toBeUndefined();
    const query = ORDER.replace("command: person.order.v1, reply: person.done.v1", "request: person.request.v1, reply: person.reply.v1");
    const lines = await said(query.replace("http: {}", "wait: 8s, http: {}"));
    expect(lines.filter((line) => line.includes("only a command with a reply holds its caller"))).toHaveLength(1);
  });
});
