import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { describe, expect, it } from "vitest";
import { freePort, freePorts } from "./ports.ts";

const LENT = "/proc/sys/net/ipv4/ip_local_port_range";

describe("a port of a server that comes back", () => {
  it("is none that the system lends to others while the server is down", async () => {
    const first = existsSync(LENT) ? Number(readFileSync(LENT, "utf8").split(/\s/u)[0]) : 49_152;
    const ports = await freePorts(50);
    expect(new Set(ports).size).toBe(50);
    expect(Math.max(...ports)).toBeLessThan(first);
  });

  it("can be listened on at once, and again after its server is gone", async () => {
    const port = await freePort();
    for (let times = 0; times < 2; times += 1) {
      const server = createServer();
      await new Promise<void>((resolve, reject) => server.once("error", reject).listen(port, "127.0.0.1", resolve));
      await new Promise((resolve) => server.close(resolve));
    }
  });
});
