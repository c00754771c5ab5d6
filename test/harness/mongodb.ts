/**
 * A MongoDB server for tests: one that is given, a container, `mongod` from the PATH, or FerretDB 1 over SQLite, built once
 * into the user's cache from its own embeddable package (it speaks the same protocol; every write is in its log before it answers).
 */
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { MongoClient } from "mongodb";
import { freePort } from "./ports.ts";
import { dockerAnswers, firstOf, type Server } from "./servers.ts";

const IMAGE = "mongo:8";
const FERRETDB = "v1.24.2";
const READY_MS = 60_000;
const TRY_MS = 5_000;

/** Takes a second or two where a program is there, minutes where it must be built first. */
export async function mongoServer(): Promise<Server | undefined> {
  return firstOf("MongoDB", [
    { from: "environment", open: fromEnvironment },
    { from: "container", open: fromContainer },
    { from: "path", open: () => onPath("mongod", mongod) },
    { from: "installed", open: installed },
  ]);
}

/** How a program is started over a data folder on a port of loopback. */
type Program = Readonly<{ args: (data: string, port: number) => string[]; replicaSet?: string }>;

const mongod: Program = {
  args: (data, port) => ["--dbpath", data, "--port", String(port), "--bind_ip", "127.0.0.1", "--replSet", "mbus", "--quiet"],
  replicaSet: "mbus",
};

const launcher: Program = { args: (data, port) => [data, `127.0.0.1:${port}`] };

async function fromEnvironment(): Promise<Server | undefined> {
  const url = process.env["MONGODB_URL"];
  if (url === undefined) return undefined;
  return { url, version: await answers(url, READY_MS), from: "environment", close: () => Promise.resolve() };
}

type Container = Readonly<{ getHost(): string; getMappedPort(port: number): number; stop(): Promise<unknown> }>;
type Containers = Readonly<{
  GenericContainer: new (image: string) => {
    withExposedPorts(port: number): { withCommand(command: string[]): { start(): Promise<Container> } };
  };
}>;

async function fromContainer(): Promise<Server | undefined> {
  if (!dockerAnswers()) return undefined;
  const library = "testcontainers";
  const { GenericContainer } = (await import(library)) as Containers;
  const container = await new GenericContainer(IMAGE).withExposedPorts(27017).withCommand(["--replSet", "mbus"]).start();
  const url = `mongodb://${container.getHost()}:${container.getMappedPort(27017)}/?directConnection=true`;
  await initiate(url, "mbus", "127.0.0.1:27017");
  return { url, version: await answers(url, READY_MS), from: "container", close: async () => void (await container.stop()) };
}

async function onPath(name: string, program: Program): Promise<Server | undefined> {
  const { status } = spawnSync(name, ["--version"], { stdio: "ignore", timeout: 10_000 });
  return status === 0 ? own(name, program, "path") : undefined;
}

async function installed(): Promise<Server | undefined> {
  const binary = build();
  return binary === undefined ? undefined : own(binary, launcher, "installed");
}

/**
 * FerretDB behind a gate: FerretDB 1 reads and writes in two steps, so two updates of one document at once could both win, which MongoDB's
 * atomic updates never let happen. The gate hands it one write at a time, which is all that SQLite does at once anyway; commands that only
 * read pass beside it: each sees the database as it stood between two writes.
 */
const SOURCE = `package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"

	"github.com/FerretDB/FerretDB/ferretdb"
)

var gate sync.Mutex

var reads = map[string]bool{
	"find": true, "getMore": true, "killCursors": true, "count": true, "hello": true, "isMaster": true, "ismaster": true,
	"ping": true, "buildInfo": true, "endSessions": true,
}

// Name of the command of an OP_MSG whose first section is its document; empty for any other message.
func command(request []byte) string {
	if len(request) < 27 || binary.LittleEndian.Uint32(request[12:]) != 2013 || request[20] != 0 {
		return ""
	}
	name, _, _ := bytes.Cut(request[26:], []byte{0})
	return string(name)
}

func message(from io.Reader) ([]byte, error) {
	head := make([]byte, 4)
	if _, err := io.ReadFull(from, head); err != nil {
		return nil, err
	}
	size := binary.LittleEndian.Uint32(head)
	if size < 16 || size > 1<<26 {
		return nil, io.ErrUnexpectedEOF
	}
	whole := make([]byte, size)
	copy(whole, head)
	_, err := io.ReadFull(from, whole[4:])
	return whole, err
}

func exchange(request []byte, server net.Conn) ([]byte, error) {
	if !reads[command(request)] {
		gate.Lock()
		defer gate.Unlock()
	}
	if _, err := server.Write(request); err != nil {
		return nil, err
	}
	return message(server)
}

func serve(client net.Conn, socket string) {
	defer client.Close()
	server, err := net.Dial("unix", socket)
	if err != nil {
		return
	}
	defer server.Close()
	for {
		request, err := message(client)
		if err != nil {
			return
		}
		response, err := exchange(request, server)
		if err != nil {
			return
		}
		if _, err := client.Write(response); err != nil {
			return
		}
	}
}

func main() {
	data, address := os.Args[1], os.Args[2]
	socket := data + "/socket"
	os.Remove(socket)
	inner, err := ferretdb.New(&ferretdb.Config{
		Listener:  ferretdb.ListenerConfig{Unix: socket},
		Logger:    slog.New(slog.NewTextHandler(io.Discard, nil)),
		Handler:   "sqlite",
		SQLiteURL: "file:" + data + "/",
	})
	if err != nil {
		panic(err)
	}
	go inner.Run(context.Background())
	outer, err := net.Listen("tcp", address)
	if err != nil {
		panic(err)
	}
	for {
		client, err := outer.Accept()
		if err != nil {
			panic(err)
		}
		go serve(client, socket)
	}
}
`;

/** Path of the program in the cache; undefined without a Go toolchain. A second build at the same time does no harm. */
function build(): string | undefined {
  const cache = join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "mconnect-bus");
  const binary = join(cache, `ferretdb-${FERRETDB}-${createHash("sha256").update(SOURCE).digest("hex").slice(0, 8)}`);
  if (existsSync(binary)) return binary;
  if (spawnSync("go", ["version"], { stdio: "ignore" }).status !== 0) throw new Error("no Go toolchain to build FerretDB with");
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(join(cache, "build-"));
  try {
    writeFileSync(join(folder, "go.mod"), `module launcher\n\ngo 1.24\n\nrequire github.com/FerretDB/FerretDB ${FERRETDB}\n`);
    writeFileSync(join(folder, "main.go"), SOURCE);
    const { status, stderr } = spawnSync("go", ["build", "-mod=mod", "-o", "ferretdb", "."], {
      cwd: folder,
      encoding: "utf8",
      timeout: 1_500_000,
    });
    if (status !== 0) throw new Error(`FerretDB could not be built: ${stderr.trim().split("\n").at(-1) ?? ""}`);
    renameSync(join(folder, "ferretdb"), binary);
    return binary;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function own(command: string, program: Program, from: string): Promise<Server> {
  const home = mkdtempSync(join(tmpdir(), "mbus-mongo-"));
  const data = join(home, "data");
  const port = await freePort();
  const url = `mongodb://127.0.0.1:${port}/?directConnection=true`;
  const log = openSync(join(home, "output.log"), "a");
  const lastWords = (): string => readFileSync(join(home, "output.log"), "utf8").trim().slice(-500);
  let child: ChildProcess | undefined;
  const start = async (): Promise<string> => {
    mkdirSync(data, { recursive: true });
    const fresh = !existsSync(join(data, "WiredTiger"));
    const started = spawn(command, program.args(data, port), { stdio: ["ignore", log, log], cwd: home });
    child = started;
    const ended = new Promise<never>((_, reject) => {
      started.once("error", reject);
      started.once("exit", (code, signal) => reject(new Error(`it ended with ${String(code ?? signal)}: ${lastWords()}`)));
    });
    const ready = async (): Promise<string> => {
      if (fresh && program.replicaSet !== undefined) await initiate(url, program.replicaSet, `127.0.0.1:${port}`);
      return answers(url, READY_MS, () => started.exitCode === null && started.signalCode === null);
    };
    return Promise.race([ready(), ended]);
  };
  const kill = async (): Promise<void> => {
    const running = child;
    child = undefined;
    if (running === undefined || running.exitCode !== null || running.signalCode !== null) return;
    const gone = new Promise((resolve) => running.once("exit", resolve));
    running.kill("SIGKILL");
    await gone;
  };
  const atExit = (): void => void child?.kill("SIGKILL");
  process.once("exit", atExit);
  const close = async (): Promise<void> => {
    process.removeListener("exit", atExit);
    await kill();
    rmSync(home, { recursive: true, force: true });
  };
  try {
    return {
      url,
      version: await start(),
      from,
      kill,
      revive: async () => void (await start()),
      wipe: async () => rmSync(data, { recursive: true, force: true }),
      pid: () => child?.pid,
      close,
    };
  } catch (error) {
    const said = lastWords();
    await close();
    throw new Error(`${command} did not answer: ${said}`, { cause: error });
  }
}

/** What the server says of itself, as soon as it takes writes. A connection that breaks while it starts is no answer yet. */
async function answers(url: string, ms: number, alive: () => boolean = () => true): Promise<string> {
  const until = performance.now() + ms;
  for (;;) {
    try {
      const said = await withClient(url, TRY_MS, introduction);
      if (said !== undefined) return said;
    } catch (error) {
      if (performance.now() > until || !alive()) throw error;
    }
    if (performance.now() > until) throw new Error(`the server takes no writes after ${ms} ms`);
    await sleep(100);
  }
}

async function introduction(client: MongoClient): Promise<string | undefined> {
  const admin = client.db("admin");
  if ((await admin.command({ hello: 1 }))["isWritablePrimary"] !== true) return undefined;
  const info = await admin.command({ buildInfo: 1 });
  if (info["ferretdbVersion"] !== undefined) return `FerretDB ${FERRETDB} (as MongoDB ${String(info["version"])})`;
  return `MongoDB ${String(info["version"])}`;
}

async function initiate(url: string, name: string, host: string): Promise<void> {
  await withClient(url, READY_MS, (client) => client.db("admin").command({ replSetInitiate: { _id: name, members: [{ _id: 0, host }] } }));
}

async function withClient<T>(url: string, ms: number, work: (client: MongoClient) => Promise<T>): Promise<T> {
  const client = new MongoClient(url, { serverSelectionTimeoutMS: ms });
  try {
    return await work(client);
  } finally {
    await client.close();
  }
}
