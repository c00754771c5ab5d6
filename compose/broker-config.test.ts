import { describe, expect, it } from "vitest";
import { amqpConfig, natsConfig, rabbitHash } from "./broker-config.ts";

const secret = (name: string): string | undefined => (name === "broker.rsp/population" ? "s3cret word" : undefined);
const systems = ["rsp/population", "cnas/pensions"];

describe("the broker's permissions", () => {
  it("of NATS hold the bus and every system that has a secret, and name the others", () => {
    const { text, withoutPassword } = natsConfig(systems, secret, { user: "mbus", password: "bus word" });
    expect(text).toContain('password: "s3cret word"');
    expect(text).toContain('user: "mbus"');
    expect(text).not.toContain("pensions");
    expect(withoutPassword).toEqual(["cnas/pensions"]);
  });

  it("of RabbitMQ hold every system; one without a secret cannot come in by a password", () => {
    const { text, withoutPassword } = amqpConfig(systems, secret);
    const { users } = JSON.parse(text) as { users: { password_hash: string }[] };
    expect(users.map(({ password_hash: hash }) => hash.length)).toEqual([48, 0]);
    expect(text).not.toContain("s3cret");
    expect(withoutPassword).toEqual(["cnas/pensions"]);
  });

  it("hash a password as RabbitMQ's manual shows it", () => {
    expect(rabbitHash("test12", Buffer.from("908DC60A", "hex"))).toBe("kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR");
  });
});
