/** Debian packages that tests need: installed when they are missing and may be, named when they cannot be had. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";

export type Tool = Readonly<{ name: string; packages: readonly string[]; works: () => boolean }>;

const succeeds = (command: string, ...args: string[]): boolean => spawnSync(command, args, { stdio: "ignore" }).status === 0;

export const ZEEP: Tool = {
  name: "python3-zeep",
  packages: ["python3-zeep"],
  works: () => succeeds("/usr/bin/python3", "-c", "import zeep"),
};
export const PHP_SOAP: Tool = {
  name: "php-soap",
  packages: ["php-cli", "php-soap"],
  works: () => succeeds("php", "-r", "exit(class_exists('SoapClient') ? 0 : 1);"),
};

export const PIKA: Tool = {
  name: "python3-pika",
  packages: ["python3-pika"],
  works: () => succeeds("/usr/bin/python3", "-c", "import pika"),
};

export const XMLSEC: Tool = { name: "xmlsec1", packages: ["xmlsec1"], works: () => succeeds("xmlsec1", "--version") };
export const PYTHON_XMLSEC: Tool = {
  name: "python3-xmlsec",
  packages: ["python3-xmlsec"],
  works: () => succeeds("/usr/bin/python3", "-c", "import xmlsec"),
};

export const STRACE: Tool = { name: "strace", packages: ["strace"], works: () => succeeds("strace", "-qq", "-o", "/dev/null", "true") };

/** True when the tool is there. In CI a tool that cannot be had is a failure; on a user's machine its tests are skipped by name. */
export function have(tool: Tool): boolean {
  if (tool.works()) return true;
  const root = process.getuid?.() === 0;
  if (root && existsSync("/usr/bin/apt-get")) {
    const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
    spawnSync("apt-get", ["update", "-qq"], { stdio: "ignore", env });
    spawnSync("apt-get", ["install", "-y", "-qq", ...tool.packages], { stdio: "ignore", env });
    if (tool.works()) return true;
  }
  const text = `${tool.name} is missing: install ${tool.packages.join(" and ")} (Debian) to run its tests`;
  if (process.env["CI"] !== undefined) throw new Error(text);
  console.warn(text);
  return false;
}
