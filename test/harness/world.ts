/** The far sides of the sample routes as tests need them: three subscribers that can fail, and a publisher that sends like the register. */
import type { BusProcess } from "./bus-process.ts";
import { openReceiver, type Received, type Receiver } from "./receiver.ts";

export type Subscribers = Readonly<{
  pensions: Receiver;
  townhall: Receiver;
  statistics: Receiver;
  /** Route variables with their addresses. */
  variables: Readonly<Record<string, string>>;
  close(): Promise<void>;
}>;

const NS = "urn:cnas:pensii:2014";
let filed = 0;

function pensionsReply({ body }: Received): { type: string; body: string } {
  const answer = body.includes("RegisterBenefit")
    ? `<p:RegisterBenefitResponse xmlns:p="${NS}"><p:NrDosar>D-${++filed}</p:NrDosar><p:Stare>INREGISTRAT</p:Stare><p:Suma>1500.00</p:Suma><p:Data>23.11.2026</p:Data></p:RegisterBenefitResponse>`
    : `<p:NotifyPersonChangeResponse xmlns:p="${NS}"><p:NrInregistrare>${++filed}</p:NrInregistrare><p:Repetat>false</p:Repetat></p:NotifyPersonChangeResponse>`;
  return {
    type: "text/xml; charset=utf-8",
    body: `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>${answer}</s:Body></s:Envelope>`,
  };
}

export async function openSubscribers(): Promise<Subscribers> {
  const pensions = await openReceiver({ reply: pensionsReply });
  const townhall = await openReceiver();
  const statistics = await openReceiver();
  return {
    pensions,
    townhall,
    statistics,
    variables: {
      "rsp.url": pensions.url,
      "cnas.url": pensions.url,
      "primaria.url": townhall.url,
      "bns.url": statistics.url,
      "vehicles.drop": "drop",
    },
    async close() {
      await Promise.all([pensions.close(), townhall.close(), statistics.close()]);
    },
  };
}

/** A person's number with its check digit. */
export function idnp(n: number): string {
  const digits = String(200_000_000_000 + n);
  const sum = Array.from(digits).reduce((total, digit, at) => total + Number(digit) * ([7, 3, 1][at % 3] ?? 0), 0);
  return `${digits}${sum % 10}`;
}

export type Change = Readonly<{ id: string; person: string; revision: number; region?: string }>;

/** HTTP status, body and Retry-After of an answer. */
export type Answer = Readonly<{ status: number; body: string; retryAfter: string | undefined }>;

async function answerOf(response: Response): Promise<Answer> {
  return { status: response.status, body: await response.text(), retryAfter: response.headers.get("retry-after") ?? undefined };
}

/** Tells the bus of a change as the register does: SOAP on the contract's WSDL. Throws when there was no answer. */
export async function tell(bus: BusProcess, change: Change): Promise<Answer> {
  const { id, person, revision, region = "Soroca" } = change;
  const p = "https://mconnect.gov.md/person-changes/v1";
  const body = `<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body><p:PersonChanged xmlns:p="${p}"><p:IDNP>${person}</p:IDNP><p:ChangedAt>2026-11-23T09:00:00.000Z</p:ChangedAt><p:Kind>addressChanged</p:Kind><p:Revision>${revision}</p:Revision><p:Changes><p:Field>address</p:Field><p:Before>Orhei</p:Before><p:After>${region}</p:After></p:Changes><p:DateOfBirth>1961-07-19</p:DateOfBirth><p:Sex>M</p:Sex><p:Address><p:Region>${region}</p:Region><p:Locality>${region}</p:Locality></p:Address></p:PersonChanged></soap:Body></soap:Envelope>`;
  const response = await fetch(`${bus.http}/mconnect/soap/rsp/population/PersonChanges`, {
    method: "POST",
    headers: { "content-type": "text/xml; charset=utf-8", "x-system": "rsp/population", "x-message-id": id },
    body,
  });
  return answerOf(response);
}

/** Sends an application for a benefit as the town hall does: a command in JSON. Throws when there was no answer. */
export async function apply(bus: BusProcess, { id, application }: Readonly<{ id: string; application: string }>): Promise<Answer> {
  const body = {
    applicationId: application,
    idnp: idnp(1),
    kind: "coldSeasonAid",
    amount: "1500.00",
    from: "2026-12-01",
    iban: null,
    townHall: "Orhei",
  };
  const response = await fetch(`${bus.http}/mconnect/rest/benefit.register.v1`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "x-system": "primaria/registry",
      "x-message-id": id,
      CallingUser: "2004100010095",
      CallingEntity: "1007601008122",
      CallBasis: "Law 547/2003 art. 11",
      CallReason: "application",
    },
    body: JSON.stringify(body),
  });
  return answerOf(response);
}
