/** SFTP servers and outlets from the options of a route. */
import { createSftpOutlet } from "#adapters/sftp/outlet.ts";
import type { SftpServer } from "#adapters/sftp/link.ts";
import { BusError } from "#bus/errors.ts";
import type { Outlet } from "#bus/ports.ts";
import { fillSecrets } from "#bus/route/schema/fill.ts";
import type { Codec } from "#bus/wire.ts";

type Secret = (name: string) => string;

/** As the spec of the adapter says. */
type ServerOptions = Readonly<{ server: string; user: string; password?: string; key?: string; passphrase?: string; hostKey: string }>;

/** Throws `configuration`: a missing secret, neither password nor key. */
export function sftpServerOf(given: Readonly<Record<string, unknown>>, secret: Secret): SftpServer {
  const options = given as ServerOptions;
  const filled = (text: string | undefined): string | undefined => (text === undefined ? undefined : fillSecrets(text, secret));
  const [host = "", port = "22"] = options.server.split(":");
  const [password, key] = [filled(options.password), filled(options.key)];
  if (password === undefined && key === undefined)
    throw new BusError("configuration", `an account at ${options.server} needs \`key\` or \`password\``);
  return {
    host,
    port: Number(port),
    user: fillSecrets(options.user, secret),
    password,
    // a key ends with a line break, which a file of secrets loses
    key: key === undefined || key.endsWith("\n") ? key : `${key}\n`,
    passphrase: filled(options.passphrase),
    hostKeys: options.hostKey.split(",").map((one) => one.trim()),
  };
}

export function sftpOutlet(given: Readonly<Record<string, unknown>>, secret: Secret, codec: Codec): Outlet {
  const { directory, suffix = ".json" } = given as { directory: string; suffix?: string };
  return createSftpOutlet({ server: sftpServerOf(given, secret), directory, suffix, codec });
}
