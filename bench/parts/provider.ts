/** A provider that costs next to nothing: answers every request with one canned reply of the population register. */
import { createServer } from "node:net";
import { REPLY } from "./messages.ts";
import { createInbox } from "./wire.ts";

const body = Buffer.from(REPLY);
const head = `HTTP/1.1 200 OK\r\ncontent-type: text/xml; charset=utf-8\r\ncontent-length: ${body.length}\r\nconnection: keep-alive\r\n\r\n`;
const answer = Buffer.concat([Buffer.from(head), body]);
const server = createServer({ noDelay: true }, (socket) => {
  const inbox = createInbox();
  socket.on("data", (bytes: Buffer) => {
    inbox.add(bytes);
    while (inbox.take() !== undefined) socket.write(answer);
  });
  // a party that ends mid-call is the benchmark's end, not a fault of the provider
  socket.on("error", () => socket.destroy());
});
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  if (typeof address === "object" && address) console.log(JSON.stringify({ url: `http://127.0.0.1:${address.port}` }));
});
process.on("SIGTERM", () => process.exit(0));
