/** The same mediation written with the `soap` package: its server takes the contract's request, its client asks the provider. */
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createClientAsync, listen } from "soap";

const [provider = "", contractWsdl = "", populationWsdl = ""] = process.argv.slice(2);
type Person = Record<string, unknown> & { Registrations?: { Registration?: unknown } };
const client = await createClientAsync(populationWsdl, { forceSoap12Headers: false }, `${provider}/PopulationRegister`);
const ask = client["GetPersonAsync"] as (value: unknown) => Promise<[{ Person: Person }]>;

const server = createServer((_request, response) => response.writeHead(404).end());
const operation = async (given: Record<string, unknown>): Promise<unknown> => {
  const [reply] = await ask.call(client, { IDNP: given["Idnp"] ?? given["IDNP"] });
  const { Person } = reply;
  return {
    Status: "found",
    Idnp: Person["IDNP"],
    FamilyName: Person["FamilyName"],
    GivenName: Person["GivenName"],
    DateOfBirth: Person["DateOfBirth"],
    Registrations: Person.Registrations,
  };
};
const services = Object.fromEntries(
  ["PersonRegistry"].map((service) => [
    service,
    Object.fromEntries(
      ["PersonRegistrySoap11", "PersonRegistrySoap12", "PersonRegistrySoap", "PersonRegistryPort"].map((port) => [
        port,
        { GetPerson: operation },
      ]),
    ),
  ]),
);
server.listen(0, "127.0.0.1", () => {
  listen(server, { path: "/soap", services, xml: readFileSync(contractWsdl, "utf8") });
  const address = server.address();
  if (typeof address === "object" && address) console.log(JSON.stringify({ url: `http://127.0.0.1:${address.port}` }));
});
process.on("SIGTERM", () => process.exit(0));
