import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { guarded } from "./breaker.ts";

const answer = (status: number) => () => Promise.resolve({ status, value: { status } });

describe("the counter's breaker towards the bus", () => {
  it("passes answers on, also refusals and a bus that is stopping", async () => {
    const via = guarded();
    for (const status of [200, 403, 404, 503]) expect(await via(answer(status))).toEqual({ status, value: { status } });
  });

  it("does not open for refusals: they are answers", async () => {
    const via = guarded();
    for (let n = 0; n < 20; n += 1) await via(answer(403));
    expect((await via(answer(200))).status).toBe(200);
  });

  it("asks no more after four calls without an answer, says so at once, and asks again by itself", async () => {
    const via = guarded();
    let asked = 0;
    const away = () => {
      asked += 1;
      return Promise.reject(new Error("fetch failed"));
    };
    for (let n = 0; n < 10; n += 1) expect((await via(away)).status).toBe(503);
    expect(asked).toBe(4);
    expect((await via(away)).value["error"]).toContain("try again");
    await sleep(2100);
    expect((await via(answer(200))).status).toBe(200);
    expect((await via(answer(200))).status).toBe(200);
  });
});
