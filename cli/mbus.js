#!/usr/bin/env node
// Runs the command line under Node 24: the one that runs this, or the one that comes with the install.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire, enableCompileCache } from "node:module";
import { constants } from "node:os";
import { fileURLToPath } from "node:url";

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major > 24 || (major === 24 && minor >= 12)) {
  enableCompileCache(fileURLToPath(new URL("../node_modules/.cache/mbus", import.meta.url)));
  const { run } = await import("./main.ts");
  await run(process.argv.slice(2));
} else {
  const node = fileURLToPath(new URL(`../node_modules/.bin/node${process.platform === "win32" ? ".cmd" : ""}`, import.meta.url));
  if (!existsSync(node)) {
    console.error(
      `mbus needs Node 24.12 or later; this is ${process.versions.node}, and no package of Node 24 came with the install for ${process.platform}-${process.arch}`,
    );
    process.exit(2);
  }
  const child = spawn(node, [createRequire(import.meta.url).resolve("./mbus.js"), ...process.argv.slice(2)], { stdio: "inherit" });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  child.on("exit", (code, signal) => process.exit(code ?? 128 + (signal ? constants.signals[signal] : 1)));
}
