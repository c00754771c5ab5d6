/** A provider that costs nothing: answers every POST with one canned reply of the population register. */
import { createServer } from "node:http";
import { REPLY } from "./messages.ts";

const body = Buffer.from(REPLY);
const headers = { "content-type": "text/xml; charset=utf-8", "content-length": String(body.length) };
const server = createServer((request, response) => {
  request.resume();
  request.on("end", () => {
    response.writeHead(200, headers);
    response.end(body);
  });
});
server.keepAliveTimeout = 60_000;
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  if (typeof address === "object" && address) console.log(JSON.stringify({ url: `http://127.0.0.1:${address.port}` }));
});
process.on("SIGTERM", () => process.exit(0));
