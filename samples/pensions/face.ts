/** The SOAP service of the pensions system, `pensions.wsdl`: Romanian names, days as dd.mm.yyyy. */
import type { Ledger } from "../lib/ledger.ts";
import { soapFace, SoapFault } from "../lib/soap-face.ts";

const NAMESPACE = "urn:cnas:pensii:2014";
/** Lei; larger sums need a paper application. */
const LARGEST = 100_000;

type Input = Readonly<Record<string, unknown>>;

export function pensionsFace(ledger: Ledger): ReturnType<typeof soapFace> {
  return soapFace({
    wsdl: new URL("pensions.wsdl", import.meta.url),
    service: "Pensii",
    ports: { "1.1": "PensiiSoap", "1.2": "PensiiSoap12" },
    operations: {
      NotifyPersonChange: (input) => {
        const entered = ledger.enter(`notify ${textOf(input, "MesajId")}`, "NotifyPersonChange", input, (number) => number);
        return { NrInregistrare: entered.answer, Repetat: !entered.first };
      },
      RegisterBenefit: (input) => registerBenefit(ledger, input),
    },
  });
}

function registerBenefit(ledger: Ledger, input: Input): unknown {
  const sum = Number(input["Suma"]);
  if (!(sum > 0 && sum <= LARGEST)) throw refused(`suma trebuie să fie între 0.01 și ${LARGEST} lei`);
  if (!isDay(textOf(input, "DinData"))) throw refused("DinData nu este o zi din calendar");
  const now = new Date();
  return ledger.enter(`benefit ${textOf(input, "NrCerere")}`, "RegisterBenefit", input, (number) => ({
    NrDosar: `CNAS-${now.getUTCFullYear()}-${String(number).padStart(6, "0")}`,
    Stare: "INREGISTRAT",
    Suma: sum.toFixed(2),
    Data: day(now),
  })).answer;
}

const refused = (reason: string): SoapFault =>
  new SoapFault("BenefitRefused", reason, `<BenefitRefused xmlns="${NAMESPACE}"><Motiv>${reason}</Motiv></BenefitRefused>`);

function textOf(input: Input, name: string): string {
  const value = input[name];
  return typeof value === "string" ? value : "";
}

/** dd.mm.yyyy of a moment. */
const day = (time: Date): string => time.toISOString().slice(0, 10).split("-").reverse().join(".");

function isDay(text: string): boolean {
  const [, dd, mm, yyyy] = /^(\d{2})\.(\d{2})\.(\d{4})$/u.exec(text) ?? [];
  const time = new Date(`${yyyy}-${mm}-${dd}T00:00:00Z`);
  return !Number.isNaN(time.getTime()) && day(time) === text;
}
