/**
 * SOAP to SOAP through the bus (validated, authorised, journalled durably both ways) beside a bare node:http → undici pass-through to
 * the same provider (the limit), the provider alone, and a proxy written with the `soap` package. Every party is its own process.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Figure } from "./figure.ts";
import { load, median, type Measured, type Target } from "./parts/load.ts";
import { REQUEST } from "./parts/messages.ts";
import { startProgram, type Program } from "./parts/process.ts";

const HEADERS = { "content-type": "text/xml; charset=utf-8", soapaction: '""', "x-system": "cnas/pensions" };
/** Enough that no party waits for the client. */
const IN_FLIGHT = 64;
const ROUNDS = 5;
const ROUND_MS = 2000;
/** Load of each party, in turn, before anything is measured: until then the rates of all of them grow while V8 compiles what they run. */
const WARM_ROUNDS = 6;
const WARM_MS = 2500;

export async function soapFigures(names: readonly string[]): Promise<readonly Figure[]> {
  const folder = mkdtempSync(join(tmpdir(), "mbus-bench-soap-"));
  const programs: Program[] = [];
  const start = async (file: string, args: readonly string[]): Promise<Program> => {
    const program = await startProgram(file, args);
    programs.push(program);
    return program;
  };
  try {
    const provider = await start("./provider.ts", []);
    const addresses = {
      "rsp.url": provider.url,
      "cnas.url": provider.url,
      "primaria.url": provider.url,
      "bns.url": provider.url,
      "vehicles.drop": join(folder, "drop"),
    };
    const bus = await start("./bus.ts", [JSON.stringify(addresses)]);
    const through = await start("./pass-through.ts", [provider.url]);
    const path = "/mconnect/soap/rsp/population/PersonRegistry";
    const wsdl = join(folder, "contract.wsdl");
    writeFileSync(wsdl, await (await fetch(`${bus.url}${path}?wsdl`)).text());
    const population = fileURLToPath(new URL("../contracts/rsp/population.wsdl", import.meta.url));
    const proxy = await start("./soap-proxy.ts", [provider.url, wsdl, population]);
    const target = (url: string, at: string): Target => ({ url, path: at, headers: HEADERS, body: REQUEST });
    const targets = {
      bus: target(bus.url, path),
      "pass-through": target(through.url, "/PopulationRegister"),
      direct: target(provider.url, "/PopulationRegister"),
      "soap package proxy": target(proxy.url, "/soap"),
    };
    await warm(targets);
    const figures: Figure[] = [];
    if (names.includes("soap.exchange")) figures.push(exchange(await measure(targets, IN_FLIGHT)));
    if (names.includes("soap.latency")) figures.push(latency(await measure(targets, 1)));
    return figures;
  } finally {
    await Promise.all(programs.map((program) => program.close()));
    rmSync(folder, { recursive: true, force: true });
  }
}

type Name = "bus" | "pass-through" | "direct" | "soap package proxy";
type Rounds = Readonly<Record<Name, readonly Measured[]>>;

/** All parties alike: the same time under the same load. */
async function warm(targets: Readonly<Record<Name, Target>>): Promise<void> {
  for (let round = 0; round < WARM_ROUNDS; round += 1) for (const target of Object.values(targets)) await load(target, IN_FLIGHT, WARM_MS);
}

/** The parties in turn, round by round, so that a machine that changes its speed changes it for all. */
async function measure(targets: Readonly<Record<Name, Target>>, inFlight: number): Promise<Rounds> {
  const rounds: Record<Name, Measured[]> = { bus: [], "pass-through": [], direct: [], "soap package proxy": [] };
  const names = Object.keys(targets) as Name[];
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const name of names) {
      const measured = await load(targets[name], inFlight, ROUND_MS);
      if (measured.failed > 0) throw new Error(`${name}: ${measured.failed} calls failed, the first with ${measured.firstFailure}`);
      rounds[name].push(measured);
    }
  }
  return rounds;
}

const rate = (rounds: readonly Measured[]): number => median(rounds.map((round) => round.perSecond));
const p50 = (rounds: readonly Measured[]): number => median(rounds.map((round) => round.p50));

function exchange(rounds: Rounds): Figure {
  const value = rate(rounds.bus);
  const limit = rate(rounds["pass-through"]);
  const detail = { "p50 ms": p50(rounds.bus), "p99 ms": median(rounds.bus.map((round) => round.p99)), "in flight": IN_FLIGHT };
  return {
    name: "soap.exchange",
    value,
    unit: "exchanges/s",
    limit,
    ratio: value / limit,
    peers: { direct: rate(rounds.direct), "soap package proxy": rate(rounds["soap package proxy"]) },
    detail,
  };
}

/** Milliseconds that the party in the middle adds at the median to one call alone. Smaller is better; ratio = limit / value. */
function latency(rounds: Rounds): Figure {
  const direct = p50(rounds.direct);
  const value = p50(rounds.bus) - direct;
  const limit = p50(rounds["pass-through"]) - direct;
  return {
    name: "soap.latency",
    value,
    unit: "ms added",
    limit,
    ratio: limit / value,
    peers: { "soap package proxy": p50(rounds["soap package proxy"]) - direct },
    detail: { "direct p50 ms": direct },
  };
}
