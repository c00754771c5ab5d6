/** Publishes many events through the bus's SOAP face; gives how many were accepted in a second. */
import { Pool } from "undici";

const PATH = "/mconnect/soap/rsp/population/PersonChanges";

export function personChanged(n: number): string {
  const idnp = String(2_000_000_000_000 + (n % 5000));
  return `<?xml version="1.0" encoding="UTF-8"?><soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body><p:PersonChanged xmlns:p="https://mconnect.gov.md/person-changes/v1"><p:IDNP>${idnp}</p:IDNP><p:ChangedAt>2026-11-23T09:00:00.000Z</p:ChangedAt><p:Kind>addressChanged</p:Kind><p:Revision>${n + 1}</p:Revision><p:Changes><p:Field>address</p:Field><p:Before>Orhei</p:Before><p:After>Soroca</p:After></p:Changes><p:DateOfBirth>1961-07-19</p:DateOfBirth><p:Sex>M</p:Sex><p:Address><p:Region>Soroca</p:Region><p:Locality>Soroca</p:Locality></p:Address></p:PersonChanged></soap:Body></soap:Envelope>`;
}

export async function publishBacklog(url: string, count: number): Promise<number> {
  const pool = new Pool(url, { connections: 64, pipelining: 1 });
  let next = 0;
  const started = performance.now();
  const worker = async (): Promise<void> => {
    for (let n = next++; n < count; n = next++) {
      const headers = { "content-type": "text/xml; charset=utf-8", "x-system": "rsp/population", "x-message-id": `bench-${n}` };
      const answer = await pool.request({ method: "POST", path: PATH, headers, body: personChanged(n) });
      const text = await answer.body.text();
      if (answer.statusCode >= 300) throw new Error(`${answer.statusCode} ${text.slice(0, 400)}`);
    }
  };
  await Promise.all(Array.from({ length: 64 }, worker));
  await pool.close();
  return count / ((performance.now() - started) / 1000);
}
