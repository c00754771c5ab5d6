/** Values of `${secret:name}`: from the environment, MBUS_SECRET_<NAME>, or a file named by MBUS_SECRET_<NAME>_FILE. */
import { readFileSync } from "node:fs";
import { BusError } from "#bus/errors.ts";

export function secrets(env: Readonly<Record<string, string | undefined>>): (name: string) => string {
  return (name) => {
    const key = `MBUS_SECRET_${name.toUpperCase().replaceAll(/[^A-Z0-9]/gu, "_")}`;
    const file = env[`${key}_FILE`];
    const value = env[key] ?? (file === undefined ? undefined : fromFile(name, `${key}_FILE`, file));
    if (value === undefined)
      throw new BusError(
        "configuration",
        `secret \`${name}\` is not set: give ${key}, or ${key}_FILE with the path of a file that holds it`,
      );
    return value;
  };
}

function fromFile(name: string, key: string, file: string): string {
  try {
    return readFileSync(file, "utf8").trim();
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new BusError("configuration", `secret \`${name}\` cannot be read: ${key} names a file, but ${why}`, { cause });
  }
}
