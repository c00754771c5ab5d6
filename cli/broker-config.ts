/** `mbus broker-config nats|amqp`: prints what the broker must allow each registered system. */
import { amqpConfig, natsConfig, secretOf, type BrokerConfig } from "#compose/broker-config.ts";
import { readFiles } from "#compose/files.ts";
import { secrets } from "#compose/secrets.ts";
import { root } from "#main.ts";
import { CommandFailed, print, type Output } from "./output.ts";

export async function brokerConfig(output: Output, broker: string): Promise<number> {
  if (broker !== "nats" && broker !== "amqp") throw new CommandFailed(`broker \`${broker}\`: write nats or amqp`, 2);
  const { documents } = await readFiles([root], process.env);
  const systems = [...documents.systems.keys()];
  const given = secrets(process.env);
  const secret = (name: string): string | undefined => {
    try {
      return given(name);
    } catch {
      return undefined;
    }
  };
  const made: BrokerConfig =
    broker === "nats" ? natsConfig(systems, secret, { user: "mbus", password: given("broker.mbus") }) : amqpConfig(systems, secret);
  for (const system of made.withoutPassword)
    output.err(
      `${system} has no password: set the secret \`${secretOf(system)}\`${broker === "amqp" ? ", or let it come by its certificate" : ""}`,
    );
  print(output, { broker, text: made.text, withoutPassword: made.withoutPassword }, made.text.trimEnd());
  return 0;
}
