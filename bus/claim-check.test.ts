/** Big bodies travel by reference and come back byte by byte, or not at all. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createMemoryDisk, createMemoryStore } from "#test/harness/memory.ts";
import { envelopeOf } from "#test/harness/route.ts";
import { CLAIM_CHECK_SIZE, claimCheck, keepClaim, redeem } from "./claim-check.ts";
import { asBusError } from "./errors.ts";
import { digestOf } from "./ids.ts";

const setup = () => {
  const disk = createMemoryDisk();
  return { disk, store: createMemoryStore(disk) };
};
const filled = (length: number, byte = 7) => new Uint8Array(length).fill(byte);

describe("a body", () => {
  it("of the limit travels as it is; one byte more goes by reference", async () => {
    const { disk, store } = setup();
    const small = envelopeOf({ body: filled(CLAIM_CHECK_SIZE) });
    expect(await claimCheck(store, small)).toBe(small);
    expect(disk.blobs.size).toBe(0);
    const big = await claimCheck(store, envelopeOf({ body: filled(CLAIM_CHECK_SIZE + 1) }));
    expect([big.body.length, big.dataref]).toEqual([0, `blob:${digestOf(filled(CLAIM_CHECK_SIZE + 1))}`]);
    expect(disk.blobs.size).toBe(1);
  });

  it("comes back as it was, with nothing of the reference left", async () => {
    const sizes = fc.integer({ min: CLAIM_CHECK_SIZE - 2, max: CLAIM_CHECK_SIZE + 2 });
    await fc.assert(
      fc.asyncProperty(sizes, fc.integer({ min: 0, max: 255 }), async (size, byte) => {
        const { store } = setup();
        const envelope = envelopeOf({ body: filled(size, byte) });
        expect(await redeem(store, await claimCheck(store, envelope))).toEqual(envelope);
      }),
      { numRuns: 12 },
    );
  });

  it("that two messages share is kept once", async () => {
    const { disk, store } = setup();
    for (const id of ["a", "b"]) await claimCheck(store, envelopeOf({ id, body: filled(CLAIM_CHECK_SIZE + 1) }));
    expect(disk.blobs.size).toBe(1);
  });

  it("that is gone is named with its message", async () => {
    const { disk, store } = setup();
    const checked = await claimCheck(store, envelopeOf({ id: "lost-1", body: filled(CLAIM_CHECK_SIZE + 1) }));
    disk.blobs.clear();
    const error = await redeem(store, checked).catch((thrown: unknown) => asBusError(thrown));
    expect(error).toMatchObject({ code: "not-found", message: expect.stringContaining("`lost-1`") });
  });

  it("that was altered by one bit, or cut, is not passed on", async () => {
    for (const alter of [(body: Uint8Array) => body.with(100, 6), (body: Uint8Array) => body.slice(0, -1)]) {
      const { disk, store } = setup();
      const checked = await claimCheck(store, envelopeOf({ body: filled(CLAIM_CHECK_SIZE + 1) }));
      for (const [id, body] of disk.blobs) disk.blobs.set(id, alter(body));
      const error = await redeem(store, checked).catch((thrown: unknown) => asBusError(thrown));
      expect(error).toMatchObject({ code: "avro-malformed", message: expect.stringContaining("SHA-256") });
    }
  });

  it("lies under a name by which retention knows it; one of an older version is found all the same", async () => {
    const { disk, store } = setup();
    const checked = await claimCheck(store, envelopeOf({ body: filled(CLAIM_CHECK_SIZE + 1) }));
    const [[name = "", body = filled(0)] = []] = disk.blobs;
    expect(name).toBe(`claim/${digestOf(body)}`);
    disk.blobs.clear();
    disk.blobs.set(digestOf(body), body);
    expect((await redeem(store, checked)).body).toEqual(body);
  });

  it("is put aside anew when its message is written down again, and nothing where there is none", async () => {
    const { disk, store } = setup();
    const checked = await claimCheck(store, envelopeOf({ body: filled(CLAIM_CHECK_SIZE + 1) }));
    const put: string[] = [];
    const watched = {
      ...store,
      blobs: { ...store.blobs, put: async (id: string, bytes: Uint8Array) => void put.push(`${id} ${bytes.length}`) },
    };
    await keepClaim(watched, checked);
    await keepClaim(watched, envelopeOf());
    disk.blobs.clear();
    await keepClaim(watched, checked);
    expect(put).toEqual([`${checked.dataref?.replace("blob:", "claim/")} ${CLAIM_CHECK_SIZE + 1}`]);
  });
});
