import { connect, createServer, type AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { eventually } from "#test/conformance/cases.ts";
import { roughLink } from "./rough-link.ts";

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** A server that keeps what it hears and says it back, behind a link. */
async function world() {
  const heard: Buffer[] = [];
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.on("data", (piece: Buffer) => {
      heard.push(piece);
      socket.write(piece);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closing.push(() => server.close());
  const link = await roughLink("127.0.0.1", (server.address() as AddressInfo).port);
  closing.push(() => link.close());
  const client = () => {
    const got: Buffer[] = [];
    let code = "";
    const socket = connect(link.port, "127.0.0.1");
    socket.on("error", (error: NodeJS.ErrnoException) => (code = error.code ?? ""));
    socket.on("data", (piece: Buffer) => got.push(piece));
    closing.push(() => socket.destroy());
    return { socket, text: () => Buffer.concat(got).toString(), code: () => code };
  };
  return { link, client, heard: () => Buffer.concat(heard).toString() };
}

describe("a rough link", () => {
  it("lets all through, until it resets a connection at the byte that the seed says", async () => {
    const { link, client, heard } = await world();
    const whole = client();
    whole.socket.write("all of it");
    await eventually(() => whole.text() === "all of it", "the echo");
    link.reset(7, 500);
    whole.socket.write("x".repeat(2_000));
    await eventually(() => whole.code() === "ECONNRESET", "the reset");
    expect(link.cuts()).toBe(1);
    expect(heard().length).toBeLessThan(9 + 501);
    const other = client();
    other.socket.write("y".repeat(2_000));
    await eventually(() => link.cuts() === 2, "the next reset");
    link.calm();
    const calm = client();
    calm.socket.write("calm");
    await eventually(() => calm.text() === "calm", "the echo");
  });

  it("loses what the server says, who hears everything, and resets when it is calm again", async () => {
    const { link, client, heard } = await world();
    const one = client();
    link.swallow();
    one.socket.write("heard");
    await eventually(() => heard() === "heard" && link.lost() === 5, "heard and not answered");
    link.calm();
    await eventually(() => one.code() === "ECONNRESET", "the reset");
    expect(one.text()).toBe("");
  });
});
