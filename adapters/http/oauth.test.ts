import { describe, expect, it } from "vitest";
import { BusError } from "#bus/errors.ts";
import type { WebCall, WebClient, WebReply } from "#bus/wire.ts";
import { createTokens, type OAuthSettings } from "./oauth.ts";

const never = new AbortController().signal;
const granted = (token: string, more: object = {}): WebReply =>
  answer(200, { access_token: token, token_type: "Bearer", expires_in: 100, ...more });
const answer = (status: number, body: unknown): WebReply => ({
  status,
  headers: {},
  body: Buffer.from(typeof body === "string" ? body : JSON.stringify(body)),
});

/** A token endpoint on a clock that stands; `next` answers the call after. */
function world(settings: Partial<OAuthSettings> = {}) {
  const calls: WebCall[] = [];
  const time = { now: 1_000_000 };
  let answers: ((call: WebCall) => Promise<WebReply> | WebReply)[] = [];
  const client: WebClient = {
    async request(call) {
      calls.push(call);
      const next = answers.shift();
      return next ? next(call) : granted(`t-${calls.length}`);
    },
    close: () => Promise.resolve(),
  };
  const tokens = createTokens({
    client,
    clock: { now: () => time.now, sleep: () => Promise.resolve() },
    token: "https://login.example/token",
    id: "bus",
    secret: "s3cret",
    scope: undefined,
    audience: undefined,
    credentials: "basic",
    ...settings,
  });
  return { tokens, calls, time, next: (...more: typeof answers) => void (answers = more) };
}
const form = (call: WebCall | undefined): object => Object.fromEntries(new URLSearchParams(Buffer.from(call?.body ?? []).toString()));
const failure = (promise: Promise<unknown>): Promise<BusError> =>
  promise.then(
    () => new BusError("unexpected", "it was given"),
    (error: unknown) => error as BusError,
  );

describe("a token", () => {
  it("is asked for with the client's id and secret, each encoded before they are joined", async () => {
    const { tokens, calls } = world({ id: "bus:1", secret: "ș +%", scope: "a b", audience: "https://api" });
    expect(await tokens.header(never)).toBe("Bearer t-1");
    expect(calls[0]).toMatchObject({ method: "POST", url: "https://login.example/token" });
    expect(calls[0]?.headers["authorization"]).toBe(`Basic ${Buffer.from("bus%3A1:%C8%99+%2B%25").toString("base64")}`);
    expect(form(calls[0])).toEqual({ grant_type: "client_credentials", scope: "a b", audience: "https://api" });
  });

  it("is asked for by the form where the server wants it so", async () => {
    const { tokens, calls } = world({ credentials: "body" });
    await tokens.header(never);
    expect(form(calls[0])).toEqual({ grant_type: "client_credentials", client_id: "bus", client_secret: "s3cret" });
    expect(calls[0]?.headers).not.toHaveProperty("authorization");
  });

  it("is asked for once by all who wait, and kept", async () => {
    const { tokens, calls } = world();
    const all = await Promise.all(Array.from({ length: 50 }, () => tokens.header(never)));
    expect([new Set(all), calls.length]).toEqual([new Set(["Bearer t-1"]), 1]);
    await tokens.header(never);
    expect(calls).toHaveLength(1);
  });

  it("is fetched anew before its end, while the old one still serves", async () => {
    const { tokens, calls, time } = world();
    await tokens.header(never);
    time.now += 84_000;
    expect(await tokens.header(never)).toBe("Bearer t-1");
    expect(calls).toHaveLength(1);
    time.now += 2_000;
    expect(await tokens.header(never)).toBe("Bearer t-1");
    expect(calls).toHaveLength(2);
    await new Promise(setImmediate);
    expect(await tokens.header(never)).toBe("Bearer t-2");
  });

  it("is never used within five seconds of its end or after it", async () => {
    const { tokens, time } = world();
    await tokens.header(never);
    time.now += 95_000;
    expect(await tokens.header(never)).toBe("Bearer t-2");
  });

  it("serves to its end though the next one cannot be had", async () => {
    const { tokens, time, next } = world();
    await tokens.header(never);
    time.now += 90_000;
    next(() => Promise.reject(new BusError("endpoint-unreachable", "away")));
    expect(await tokens.header(never)).toBe("Bearer t-1");
    await new Promise(setImmediate);
    expect(await tokens.header(never)).toBe("Bearer t-1");
  });

  it("that was refused is not given again; one that is newer stays", async () => {
    const { tokens, calls } = world();
    const old = await tokens.header(never);
    tokens.refused(old);
    expect(await tokens.header(never)).toBe("Bearer t-2");
    tokens.refused(old);
    expect(await tokens.header(never)).toBe("Bearer t-2");
    expect(calls).toHaveLength(2);
  });

  it("goes on to be fetched for the others when one has no more time", async () => {
    const { tokens, next, calls } = world();
    const held = Promise.withResolvers<WebReply>();
    next(() => held.promise);
    const hurried = new AbortController();
    const [first, second] = [failure(tokens.header(hurried.signal)), tokens.header(never)];
    hurried.abort();
    expect((await first).code).toBe("attempt-timeout");
    held.resolve(granted("late"));
    expect([await second, calls.length]).toEqual(["Bearer late", 1]);
    const over = AbortSignal.abort(new BusError("deadline-passed", "too late"));
    tokens.refused("Bearer late");
    expect((await failure(tokens.header(over))).code).toBe("deadline-passed");
  });
});

describe("what the server answers", () => {
  it.each([
    [answer(400, { error: "invalid_scope" }), "configuration", "invalid_scope"],
    [answer(401, { error: "invalid_client", error_description: "s3cret is wrong" }), "configuration", "invalid_client"],
    [answer(403, "s3cret"), "configuration", "HTTP 403"],
    [answer(400, { error: "S3CRET\nx" }), "configuration", "HTTP 400"],
    [answer(500, "oops s3cret"), "endpoint-unavailable", "500"],
    [answer(200, "not json"), "provider-reply-invalid", undefined],
    [answer(200, { token_type: "bearer" }), "provider-reply-invalid", undefined],
    [granted("t", { token_type: "mac" }), "provider-reply-invalid", undefined],
    [granted("a\r\nx-admin: 1"), "provider-reply-invalid", undefined],
    [granted(""), "provider-reply-invalid", undefined],
    [granted("x".repeat(10_000)), "provider-reply-invalid", undefined],
  ])("case %#: %s and no secret in it", async (reply, code, providerCode) => {
    const { tokens, next } = world();
    next(() => reply);
    const error = await failure(tokens.header(never));
    expect([error.code, error.providerCode]).toEqual([code, providerCode]);
    expect(error.message).not.toMatch(/s3cret/iu);
  });

  it("as a refusal is remembered for a second, so that the server is not stormed", async () => {
    const { tokens, next, calls, time } = world();
    next(() => answer(401, { error: "invalid_client" }));
    for (let i = 0; i < 20; i++) expect((await failure(tokens.header(never))).code).toBe("configuration");
    expect(calls).toHaveLength(1);
    time.now += 1_000;
    expect(await tokens.header(never)).toBe("Bearer t-2");
  });

  it.each([
    ["absent", undefined, 265_000],
    ["text", "100", 85_000],
    ["a month", 2_592_000, 86_335_000],
    ["nonsense", "soon", 0],
    ["negative", -5, 0],
  ])("with a life that is %s is used for a sound time", async (_, life, fresh) => {
    const { tokens, next, calls, time } = world();
    next(() => granted("t", { expires_in: life }));
    await tokens.header(never);
    time.now += Math.max(fresh - 1, 0);
    await tokens.header(never);
    expect(calls).toHaveLength(fresh === 0 ? 2 : 1);
    time.now += 1;
    await tokens.header(never);
    expect(calls).toHaveLength(2);
  });
});
