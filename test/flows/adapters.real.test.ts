/** One whole bus, outside to outside: rows of an outbox become mails, files on a server, calls of a REST service and rows elsewhere. */
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import { afterAll, expect, it } from "vitest";
import { createSite } from "#test/harness/bus-process.ts";
import { postgresServer } from "#test/harness/postgres.ts";
import { eventually, openReceiver } from "#test/harness/receiver.ts";
import { smtpPeer } from "#test/harness/smtp.ts";
import { sftpServer } from "#test/harness/sshd.ts";

const closing: (() => unknown)[] = [];
afterAll(async () => {
  for (const close of closing.toReversed()) await close();
}, 60_000);

const system = (id: string, addresses: string): string =>
  `bus: system/v1\nid: ${id}\ntitle: Notes\ninstitution: { idno: "1002600024700", name: An agency }\naddresses: [${addresses}]\n`;
const grant = (role: "producer" | "consumer", id: string): string =>
  `bus: grant/v1\nid: ${id.replace("/", "-")}-${role}\nowner: officer\n${role}: ${id}\ncontract: note.sent.v1\n` +
  `legalBasis: { act: Law 142/2018, section: "art. 6", purpose: exchange }\nvalid: { from: 2026-01-01, until: 2030-12-31 }\n`;
const DATABASE = 'url: "${secret:db}", ca: "${secret:ca}"';
const ROUTE = `bus: route/v1
id: notes
title: Notes of a ministry
owner: notes-team
contract: { event: note.sent.v1 }
from:
  - name: outbox
    system: ministry/notes
    postgres: { ${DATABASE}, table: outbox, key: id, columns: [number, text, email], done: taken_at, failed: refused, every: 200ms }
fanOut:
  - name: mail
    system: archive/notes
    mail:
      server: "\${var:mail}"
      security: none
      from: noreply@ministry.example
      to: "{email}"
      subject: Note {number}
      text: "{text}"
  - name: files
    system: archive/notes
    sftp: { server: "\${var:sftp}", user: "\${secret:sftp/user}", key: "\${secret:sftp/key}", hostKey: "\${var:hostkey}", directory: "\${var:folder}" }
  - name: rest
    system: archive/notes
    http: { method: PUT, path: "/notes/{number}", query: { text: "{text}" }, basic: { user: "\${secret:rest/user}", password: "\${secret:rest/password}" } }
  - name: rows
    system: archive/notes
    postgres: { ${DATABASE}, statement: "INSERT INTO archive (message_id, number, body) VALUES (:$id, :number, :text) ON CONFLICT DO NOTHING" }
`;

it("a row of an outbox reaches a mailbox, a server of files, a REST service and another table, each once, over a kill of the bus", async (context) => {
  const [postgres, sftp] = [await postgresServer(), await sftpServer()];
  closing.push(
    () => postgres?.close(),
    () => sftp?.close(),
  );
  if (!postgres || !sftp) {
    context.skip();
    return;
  }
  const mail = await smtpPeer({ hideSTARTTLS: true });
  closing.push(() => mail.kill());
  const archive = await openReceiver();
  closing.push(() => archive.close());
  const db = new pg.Client({ connectionString: postgres.url, ssl: { ca: postgres.ca } });
  await db.connect();
  closing.push(() => db.end());
  await db.query("CREATE TABLE outbox (id bigserial PRIMARY KEY, number int, text text, email text, taken_at timestamptz, refused text)");
  await db.query("CREATE TABLE archive (message_id text PRIMARY KEY, number int, body text)");
  const site = createSite({
    MBUS_SECRET_DB: postgres.url,
    MBUS_SECRET_CA: postgres.ca,
    MBUS_SECRET_SFTP_USER: sftp.server.user,
    MBUS_SECRET_SFTP_KEY: sftp.server.key ?? "",
    MBUS_SECRET_REST_USER: "bus",
    MBUS_SECRET_REST_PASSWORD: "hunter2",
    MBUS_VAR_MAIL: `127.0.0.1:${mail.port}`,
    MBUS_VAR_SFTP: `127.0.0.1:${sftp.server.port}`,
    MBUS_VAR_HOSTKEY: sftp.server.hostKeys.join(),
    MBUS_VAR_FOLDER: sftp.folder,
    MBUS_VAR_ARCHIVE: archive.url,
  });
  closing.push(() => site.remove());
  for (const folder of ["routes", "contracts"]) {
    rmSync(join(site.root, folder), { recursive: true });
    mkdirSync(join(site.root, folder));
  }
  const contract =
    "bus: contract/v1\nid: note.sent.v1\ntitle: A note\nowner: notes-team\npattern: event\nschema: ../contracts/note.sent.v1.avsc\nidempotent: true\n";
  const documents = [
    system("ministry/notes", ""),
    system("archive/notes", '"${var:archive}"'),
    contract,
    grant("producer", "ministry/notes"),
    grant("consumer", "archive/notes"),
    grant("producer", "archive/notes"),
    ROUTE,
  ];
  writeFileSync(join(site.root, "routes/notes.yaml"), documents.join("---\n"));
  const fields = [
    { name: "number", type: "int" },
    { name: "text", type: "string" },
    { name: "email", type: "string" },
  ];
  writeFileSync(
    join(site.root, "contracts/note.sent.v1.avsc"),
    JSON.stringify({ type: "record", name: "NoteSent", namespace: "md.example", fields }),
  );
  const linted = await site.mbus("lint");
  expect(linted, linted.out + linted.err).toMatchObject({ code: 0 });

  const first = await site.start();
  const add = (from: number, to: number) =>
    db.query(
      "INSERT INTO outbox (number, text, email) SELECT n, 'text ' || n, 'ana-' || n || '@example.md' FROM generate_series($1::int, $2::int) AS n",
      [from, to],
    );
  await add(1, 20);
  await eventually(
    async () => (await db.query("SELECT 1 FROM archive")).rowCount !== 0,
    () => "no row came",
    60_000,
  );
  await first.end("SIGKILL");
  await add(21, 30);
  await db.query("INSERT INTO outbox (number, text, email) VALUES (99, NULL, 'x@example.md')");
  await site.start();

  const bodies = Array.from({ length: 30 }, (_, n) => `text ${n + 1}`);
  const files = (): string[] => readdirSync(sftp.folder).filter((name) => name.endsWith(".json"));
  const left = async (): Promise<string> => {
    await mail.settled();
    const taken = await db.query<{ n: number }>("SELECT count(*)::int AS n FROM outbox WHERE taken_at IS NOT NULL");
    const rows = await db.query<{ n: number }>("SELECT count(*)::int AS n FROM archive");
    return [
      taken.rows[0]?.n,
      rows.rows[0]?.n,
      archive.effects.size,
      files().length,
      new Set(mail.mails.flatMap(({ to }) => to)).size,
    ].join();
  };
  let state = "";
  await eventually(
    async () => (state = await left()) === "30,30,30,30,30",
    () => `taken, rows, calls, files, mails: ${state}`,
    90_000,
  );
  expect((await db.query("SELECT body FROM archive ORDER BY number")).rows.map(({ body }: { body: string }) => body)).toEqual(bodies);
  expect((await db.query("SELECT refused FROM outbox WHERE number = 99")).rows).toEqual([{ refused: "json-violation" }]);
  const calls = [...archive.effects.values()].map(({ path }) => path);
  expect(new Set(calls)).toEqual(new Set(bodies.map((text, n) => `/notes/${n + 1}?text=${encodeURIComponent(text)}`)));
  expect(archive.received[0]?.headers["authorization"]).toBe(`Basic ${Buffer.from("bus:hunter2").toString("base64")}`);
  const written = files().map((name) => (JSON.parse(readFileSync(join(sftp.folder, name), "utf8")) as { text: string }).text);
  expect(new Set(written)).toEqual(new Set(bodies));
  expect(mail.mails.find(({ to }) => to[0] === "ana-7@example.md")?.raw).toContain("Subject: Note 7");
}, 300_000);
