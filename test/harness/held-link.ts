/**
 * A TCP link in front of a server that can be held: what the client sends then waits, as if its process were paused. And it can lose an
 * answer: the server does what it was asked, and the client's connection breaks before it hears of it.
 */
import { connect, createServer, type AddressInfo, type Socket } from "node:net";

export type HeldLink = Readonly<{
  port: number;
  /** Holds everything from the first piece on that `when` says yes to; resolves when it came. */
  hold(when: (piece: Buffer) => boolean): Promise<void>;
  release(): void;
  /** The answer to the first piece that `when` says yes to is lost. */
  lose(when: (piece: Buffer) => boolean): void;
  close(): Promise<void>;
}>;

export async function heldLink(host: string, port: number): Promise<HeldLink> {
  const sockets = new Set<Socket>();
  const waiting: (() => void)[] = [];
  let trigger: ((piece: Buffer) => boolean) | undefined;
  let caught: () => void = () => undefined;
  let held = false;
  let losing: ((piece: Buffer) => boolean) | undefined;
  const server = createServer((client) => {
    const far = connect(port, host);
    for (const socket of [client, far]) {
      sockets.add(socket);
      socket.on("error", () => undefined);
    }
    client.on("close", () => far.destroy());
    far.on("close", () => client.destroy());
    let lost = false;
    far.on("data", (piece) => (lost ? client.destroy() : client.write(piece)));
    client.on("data", (piece: Buffer) => {
      if (trigger?.(piece) === true) {
        trigger = undefined;
        held = true;
        caught();
      }
      if (losing?.(piece) === true) {
        losing = undefined;
        lost = true;
      }
      if (held) waiting.push(() => far.write(piece));
      else far.write(piece);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    hold: (when) =>
      new Promise((resolve) => {
        caught = resolve;
        trigger = when;
      }),
    release() {
      held = false;
      for (const go of waiting.splice(0)) go();
    },
    lose(when) {
      losing = when;
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
