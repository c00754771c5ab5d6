/** Values of `${secret:name}`: from the environment, MBUS_SECRET_<NAME>, or a file named by MBUS_SECRET_<NAME>_FILE. */
import { readFileSync } from "node:fs";
import { BusError } from "#bus/errors.ts";

export function secrets(env: Readonly<Record<string, string | undefined>>): (name: string) => string {
  return (name) => {
    const key = `MBUS_SECRET_${name.toUpperCase().replaceAll(/[^A-Z0-9]/gu, "_")}`;
    const file = env[`${key}_FILE`];
    const value = env[key] ?? (file === undefined ? undefined : readFileSync(file, "utf8").trim());
    if (value === undefined)
      throw new BusError(
        "configuration",
        `secret \`${name}\` is not set: give ${key}, or ${key}_FILE with the path of a file that holds it`,
      );
    return value;
  };
}
