/** Talks HTTP by hand, so that requests no library would send can be sent. */
import { connect } from "node:net";

export type Raw = Readonly<{
  /** Everything the server wrote until it closed or `quiet` milliseconds passed. */
  text: string;
  /** Status lines, in order. */
  statuses: readonly number[];
  /** Did the server end the connection? */
  closed: boolean;
}>;

export function rawHttp(
  port: number,
  parts: string | readonly string[],
  options: Readonly<{ quiet?: number; gap?: number }> = {},
): Promise<Raw> {
  const { quiet = 300, gap = 0 } = options;
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    let text = "";
    let timer: NodeJS.Timeout | undefined;
    const finish = (closed: boolean): void => {
      clearTimeout(timer);
      socket.destroy();
      const statuses = [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map((found) => Number(found[1]));
      resolve({ text, statuses, closed });
    };
    const rearm = (): void => {
      clearTimeout(timer);
      timer = setTimeout(() => finish(false), quiet);
    };
    socket.on("data", (chunk: Buffer) => {
      text += chunk.toString("latin1");
      rearm();
    });
    socket.on("close", () => finish(true));
    socket.on("error", () => finish(true));
    const list = typeof parts === "string" ? [parts] : parts;
    list.forEach((part, at) => setTimeout(() => !socket.destroyed && socket.write(part, "latin1"), gap * at));
    if (quiet > 0) rearm();
  });
}
