/** The raw limit of a broker in the middle: node:http in, undici out, bytes untouched. */
import { createServer } from "node:http";
import { Pool } from "undici";

const pool = new Pool(process.argv[2] ?? "", { connections: 64, pipelining: 1 });
const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    pool
      .request({
        method: "POST",
        path: "/PopulationRegister",
        headers: { "content-type": "text/xml; charset=utf-8" },
        body: Buffer.concat(chunks),
      })
      .then(async ({ statusCode, body }) => {
        const bytes = Buffer.from(await body.arrayBuffer());
        response.writeHead(statusCode, { "content-type": "text/xml; charset=utf-8", "content-length": String(bytes.length) });
        response.end(bytes);
      })
      .catch(() => response.writeHead(502).end());
  });
});
server.keepAliveTimeout = 60_000;
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  if (typeof address === "object" && address) console.log(JSON.stringify({ url: `http://127.0.0.1:${address.port}` }));
});
process.on("SIGTERM", () => process.exit(0));
