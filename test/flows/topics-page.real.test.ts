/** The worked example of docs/topics.md, as it stands there: its files run, its Python client sends and receives. */
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { createSite } from "#test/harness/bus-process.ts";
import { have, PIKA } from "#test/harness/debian.ts";
import { rabbitServer } from "#test/harness/rabbitmq.ts";
import { eventually, openReceiver } from "#test/harness/receiver.ts";

const page = readFileSync(new URL("../../docs/topics.md", import.meta.url), "utf8");
const block = (tag: string): string => new RegExp(`^\`\`\`${tag}\\n([\\s\\S]*?)^\`\`\`$`, "mu").exec(page)?.[1] ?? "";
const SCHEMA = { type: "record", name: "NoteSent", namespace: "md.example", fields: [{ name: "text", type: "string" }] };

const closing: (() => unknown)[] = [];
afterAll(async () => {
  for (const close of closing.toReversed()) await close();
}, 60_000);

it("a note goes both ways between a ministry on RabbitMQ and an archive that knows HTTP only", async (context) => {
  const server = have(PIKA) ? await rabbitServer() : undefined;
  closing.push(() => server?.close());
  if (!server?.ctl) {
    context.skip();
    return;
  }
  const archive = await openReceiver();
  closing.push(() => archive.close());
  const site = createSite({ MBUS_VAR_ARCHIVE_URL: archive.url, AMQP_URL: server.url, MBUS_SECRET_BROKER_MINISTRY_NOTES: "secret" });
  closing.push(() => site.remove());
  for (const folder of ["routes", "contracts"]) {
    rmSync(join(site.root, folder), { recursive: true });
    mkdirSync(join(site.root, folder));
  }
  writeFileSync(join(site.root, "routes/notes.yaml"), block("yaml lint"));
  writeFileSync(join(site.root, "contracts/note.sent.v1.avsc"), JSON.stringify(SCHEMA));

  const made = await site.mbus("broker-config", "amqp");
  const file = join(mkdtempSync(join(tmpdir(), "mbus-definitions-")), "definitions.json");
  writeFileSync(file, made.out);
  await server.ctl("import_definitions", file);
  const bus = await site.start();
  const told = await fetch(`${bus.http}/mconnect/rest/note.sent.v1`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-system": "archive/notes", "x-message-id": "note-2" },
    body: '{"text":"from the archive"}',
  });
  expect(told.status, await told.text()).toBe(202);

  const url = new URL(server.url);
  url.username = "ministry_2fnotes";
  url.password = "secret";
  const client = spawn("/usr/bin/python3", ["-c", block("python")], { env: { ...process.env, AMQP_URL: url.href } });
  let said = "";
  for (const stream of [client.stdout, client.stderr]) stream.on("data", (chunk: Buffer) => (said += chunk.toString()));
  await new Promise((resolve) => client.once("close", resolve));
  expect(said).toBe('to.ministry_2fnotes.note.sent.v1 note-2 {"text":"from the archive"}\n');
  await eventually(
    () => archive.effects.has("note-1"),
    () => "the archive has nothing",
    60_000,
  );
  expect(archive.effects.get("note-1")).toMatchObject({ path: "/notes", body: '{"text":"from the ministry"}' });
  expect(await site.mbus("test")).toMatchObject({ code: 0, out: expect.stringContaining("2 cases passed") as string });
}, 300_000);
