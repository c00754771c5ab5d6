/**
 * OpenSSH's server for tests: its own configuration, host key and account key in a temporary folder, on a free port of loopback, and
 * nothing but SFTP. The machine's own server, if it has one, is not touched.
 */
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { fingerprint, type SftpServer } from "#adapters/sftp/link.ts";
import { have, type Tool } from "./debian.ts";
import { freePort } from "./ports.ts";
import { firstOf, type Server } from "./servers.ts";

const SSHD = "/usr/sbin/sshd";
const SFTP = "/usr/lib/openssh/sftp-server";
export const OPENSSH: Tool = {
  name: "openssh-server",
  packages: ["openssh-server", "openssh-client"],
  works: () =>
    existsSync(SSHD) && existsSync(SFTP) && spawnSync("ssh-keygen", ["-A", "-f", "/nonexistent"], { stdio: "ignore" }).error === undefined,
};

export type SftpPeer = Server &
  Readonly<{
    server: SftpServer;
    /** A folder that the server shows under its own path. */
    folder: string;
    kill: () => Promise<void>;
    revive: () => Promise<void>;
  }>;

export async function sftpServer(): Promise<SftpPeer | undefined> {
  let peer: SftpPeer | undefined;
  await firstOf("SFTP", [{ from: "path", open: async () => (have(OPENSSH) ? (peer = await start()) : undefined) }]);
  return peer;
}

/** Without accounts it lets in who runs it: the key is of this run only. */
async function start(): Promise<SftpPeer> {
  const home = mkdtempSync(join(tmpdir(), "mbus-sshd-"));
  const folder = join(home, "files");
  mkdirSync(folder);
  for (const name of ["host", "user"]) {
    const made = spawnSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", join(home, name)], { encoding: "utf8" });
    if (made.status !== 0) throw new Error(`ssh-keygen failed: ${made.stderr}`);
  }
  const port = await freePort();
  const { username } = userInfo();
  writeFileSync(join(home, "authorized"), readFileSync(join(home, "user.pub")), { mode: 0o600 });
  const config = [
    `Port ${port}`,
    "ListenAddress 127.0.0.1",
    `HostKey ${join(home, "host")}`,
    `AuthorizedKeysFile ${join(home, "authorized")}`,
    `PidFile ${join(home, "pid")}`,
    "StrictModes no",
    "UsePAM no",
    "PasswordAuthentication no",
    "KbdInteractiveAuthentication no",
    "PermitRootLogin prohibit-password",
    "PermitTTY no",
    "AllowTcpForwarding no",
    `Subsystem sftp ${SFTP}`,
    `ForceCommand ${SFTP}`,
    "",
  ].join("\n");
  writeFileSync(join(home, "config"), config);
  let child: ChildProcess | undefined;
  const revive = async (): Promise<void> => {
    // root's server parts its rights below this folder; packages make it only when their own service starts
    if (process.getuid?.() === 0) mkdirSync("/run/sshd", { recursive: true, mode: 0o755 });
    child = spawn(SSHD, ["-D", "-e", "-f", join(home, "config")], { stdio: ["ignore", "ignore", "pipe"] });
    let said = "";
    child.stderr?.on("data", (chunk: Buffer) => (said += chunk.toString()));
    await listening(child, port, () => said);
  };
  const kill = async (): Promise<void> => {
    const old = child;
    child = undefined;
    if (old?.pid === undefined || old.exitCode !== null) return;
    const gone = new Promise((resolve) => old.once("exit", resolve));
    // with the processes that it made for its connections, which are in sessions of their own
    const children = readFileSync(`/proc/${old.pid}/task/${old.pid}/children`, "utf8").split(" ").filter(Boolean).map(Number);
    for (const pid of [old.pid, ...children]) process.kill(pid, "SIGKILL");
    await gone;
  };
  await revive();
  const version = spawnSync("ssh", ["-V"], { encoding: "utf8" }).stderr.split(",")[0]?.trim() ?? "OpenSSH";
  const hostKey = Buffer.from(readFileSync(join(home, "host.pub"), "utf8").split(" ")[1] ?? "", "base64");
  return {
    url: `sftp://127.0.0.1:${port}`,
    version,
    from: "path",
    folder,
    server: {
      host: "127.0.0.1",
      port,
      user: username,
      password: undefined,
      key: readFileSync(join(home, "user"), "utf8"),
      passphrase: undefined,
      hostKeys: [fingerprint(hostKey)],
    },
    kill,
    revive,
    async close() {
      await kill();
      rmSync(home, { recursive: true, force: true });
    },
  };
}

/** It says so itself; a second server on one port would fail. */
async function listening(child: ChildProcess, port: number, said: () => string): Promise<void> {
  const until = performance.now() + 30_000;
  while (!said().includes(`Server listening on 127.0.0.1 port ${port}`)) {
    if (child.exitCode !== null || performance.now() > until) throw new Error(`sshd did not start: ${said().slice(-500)}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** A port that takes connections and says nothing. */
export async function silentPort(): Promise<Readonly<{ port: number; close(): void }>> {
  const server = createServer((socket) => socket.on("error", () => undefined).resume());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { port: (server.address() as { port: number }).port, close: () => server.close() };
}
