/** What docker-compose.yml and deploy/ promise, read from the files: no Docker engine is needed. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { adapters } from "#adapters/registry.ts";
import { lintFiles } from "#bus/route/lint/lint.ts";
import { readSettings } from "#config/settings.ts";
import { WORLD } from "#samples/world.ts";
import { filesFrom, textsOf } from "./files-of.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const read = (path: string): string => readFileSync(join(root, path), "utf8");

type Service = Readonly<{
  image: string;
  build?: string;
  profiles: readonly string[];
  environment?: Readonly<Record<string, string>>;
  ports?: readonly string[];
  volumes?: readonly string[];
  depends_on?: Readonly<Record<string, Readonly<{ condition: string; required?: boolean }>>>;
  healthcheck?: Readonly<{ test: readonly string[]; interval: string; timeout: string; retries: number }>;
  entrypoint?: readonly string[];
  network_mode?: string;
}>;
type Compose = Readonly<{ services: Readonly<Record<string, Service>>; volumes: Readonly<Record<string, null>> }>;

const compose = parse(read("docker-compose.yml"), { merge: true }) as Compose;
const services = Object.entries(compose.services);
/** `${NAME:-usual}` as Docker fills it in where the environment says nothing. */
const filled = (text: string): string => text.replaceAll(/\$\{[A-Z_]+:-([^}]*)\}/gu, "$1");
const environmentOf = (service: Service): Record<string, string> =>
  Object.fromEntries(Object.entries(service.environment ?? {}).map(([name, value]) => [name, filled(value)]));
const buses = services.filter(([, service]) => service.build !== undefined);

describe("docker-compose.yml", () => {
  it("has three servers of each engine, two buses, the sample institutions and the observers", () => {
    const count = (prefix: string): number => services.filter(([name]) => name.startsWith(prefix)).length;
    expect(["nats-", "rabbitmq-", "mongo-", "bus-", "sample-"].map(count)).toEqual([3, 3, 3, 2, WORLD.length]);
    expect(new Set(services.flatMap(([, { profiles }]) => profiles))).toEqual(new Set(["embedded", "nats", "amqp", "observability"]));
  });

  it.each(services)("%s has a health check with its times, and a profile", (_, { healthcheck, profiles }) => {
    expect(healthcheck?.test.length).toBeGreaterThan(1);
    for (const time of [healthcheck?.interval, healthcheck?.timeout]) expect(time).toMatch(/^\d+s$/u);
    expect(healthcheck?.retries).toBeGreaterThan(0);
    expect(profiles.length).toBeGreaterThan(0);
  });

  it.each(services)(
    "%s keeps its data in a named volume that nobody else of its kind has, and mounts only files that exist",
    (name, service) => {
      const mounts = (service.volumes ?? []).map((mount) => mount.split(":"));
      const named = mounts.flatMap(([from = ""]) => (from.startsWith("./") ? [] : [from]));
      expect(named).toContain(name === "bus" ? "bus-embedded" : name);
      for (const volume of named) expect(Object.keys(compose.volumes)).toContain(volume);
      for (const [from = "", , mode] of mounts.filter(([path = ""]) => path.startsWith("./"))) {
        expect(existsSync(join(root, from)), from).toBe(true);
        expect(mode, from).toBe("ro");
      }
    },
  );

  it("keeps each engine's data where the engine writes it", () => {
    const at = (prefix: string): Set<string | undefined> =>
      new Set(
        services
          .filter(([name]) => name.startsWith(prefix))
          .flatMap(([name, service]) =>
            (service.volumes ?? []).flatMap((mount) => (mount.startsWith(`${name}:`) ? [mount.split(":")[1]] : [])),
          ),
      );
    expect(at("nats-")).toEqual(new Set([/store_dir: (\S+)/u.exec(read("deploy/nats/nats.conf"))?.[1]]));
    expect(at("rabbitmq-")).toEqual(new Set(["/var/lib/rabbitmq"]));
    expect(at("mongo-")).toEqual(new Set(["/data/db"]));
    expect(at("bus-")).toEqual(new Set([/MBUS_DATA_DIR=(\S+)/u.exec(read("Dockerfile"))?.[1]]));
  });

  it("pins every image, here and in the Dockerfile", () => {
    const bases = [...read("Dockerfile").matchAll(/^FROM (\S+)/gmu)].map((match) => match[1] ?? "");
    expect(bases.length).toBeGreaterThan(0);
    for (const image of [...services.map(([, service]) => service.image), ...bases])
      expect(image).toMatch(/:v?\d+\.\d+\.\d+(-[a-z0-9.]+)?$/u);
  });

  it("publishes the buses and Grafana only, on this machine only", () => {
    const published = services.filter(([, { ports = [] }]) => ports.length > 0);
    expect(published.map(([name]) => name)).toEqual(["bus", "bus-1", "bus-2", "grafana"]);
    for (const port of published.flatMap(([, { ports = [] }]) => ports)) expect(port).toMatch(/^127\.0\.0\.1:\d+:\d+$/u);
  });

  it("sets only what is a setting: every MBUS_ name stands in docs/configuration.md, and every bus's settings are sound", () => {
    const known = read("docs/configuration.md");
    for (const [name, service] of services)
      for (const variable of Object.keys(environmentOf(service)).filter((each) => each.startsWith("MBUS_")))
        expect(known, `${name}: ${variable}`).toContain(`\`${variable}\``);
    for (const [, service] of buses) expect(() => readSettings(environmentOf(service))).not.toThrow();
    for (const [, service] of buses)
      expect(() => readSettings({ ...environmentOf(service), MBUS_TRANSPORT: "amqp", AMQP_URL: "amqp://a" })).not.toThrow();
  });

  it("gives the buses of a cluster one stage, one number of partitions, and each its own name", () => {
    const cluster = buses.filter(([name]) => name !== "bus").map(([, service]) => readSettings(environmentOf(service)));
    expect(new Set(cluster.map(({ partitions }) => partitions)).size).toBe(1);
    expect(new Set(cluster.map(({ node }) => node)).size).toBe(cluster.length);
    for (const { environment, store } of cluster) expect([environment, store]).toEqual(["cluster", "mongodb"]);
  });

  it("starts a service after what it needs is healthy; what another profile has may be absent", () => {
    for (const [name, service] of services) {
      for (const [needed, { condition, required = true }] of Object.entries(service.depends_on ?? {})) {
        expect(condition).toBe("service_healthy");
        const target = compose.services[needed];
        const always = service.profiles.every((profile) => target?.profiles.includes(profile));
        expect(always || !required, `${name} needs ${needed}`).toBe(true);
      }
      if (service.network_mode !== undefined) expect(Object.keys(service.depends_on ?? {})).toContain(service.network_mode.split(":")[1]);
    }
  });

  it("runs every sample institution where config/cluster.yaml says it is", () => {
    const { environments } = lintFiles(filesFrom({ "config/cluster.yaml": read("config/cluster.yaml") }), []).documents;
    const vars: Readonly<Record<string, string>> = environments.get("cluster")?.vars ?? {};
    const running = new Map(services.map(([, service]) => [service.entrypoint?.at(-1), service]));
    for (const { program, variable } of WORLD) {
      const port = running.get(program)?.environment?.["SAMPLE_PORT"];
      expect(port, program).toMatch(/^\d+$/u);
      if (variable !== "vehicles.url") expect(vars[variable]).toBe(`http://bus-1:${port}`);
    }
    expect(running.get("samples/vehicles/main.ts")?.volumes).toContain(`vehicles:/data/${vars["vehicles.drop"]}`);
  });
});

describe("the image", () => {
  const dockerfile = read("Dockerfile");

  it("runs as no administrator, on Node 24, and says whether it lives", () => {
    expect(/^USER (\S+)$/mu.exec(dockerfile)?.[1]).toBe("node");
    expect(dockerfile.indexOf("USER node")).toBeLessThan(dockerfile.indexOf("ENTRYPOINT"));
    expect(dockerfile).toMatch(/^FROM node:24\.\d+\.\d+-slim$/mu);
    expect(dockerfile).toMatch(/^HEALTHCHECK [\s\S]*\/livez/mu);
    expect(dockerfile).toContain("--omit=dev");
  });

  it("holds what a running bus reads, and neither tests nor data", () => {
    const lines = read(".dockerignore").split("\n");
    expect(lines).toContain("*");
    expect(lines).toContain("**/*.test.ts");
    const taken = lines.filter((line) => line.startsWith("!")).map((line) => line.slice(1));
    const imports = JSON.parse(read("package.json")) as { imports: Record<string, string> };
    const folders = Object.keys(imports.imports).map((name) => name.slice(1).split("/")[0] ?? "");
    const present = folders.filter((name) => name !== "test" && existsSync(join(root, name)));
    expect(taken).toEqual(expect.arrayContaining([...present, "routes", "contracts", "package.json", "package-lock.json"]));
    for (const name of ["test", "docs", "bench", ".mbus", ".git", "node_modules"]) expect(taken).not.toContain(name);
  });
});

describe("the stage of the cluster", () => {
  it("gives the sample routes every value, so that they lint clean", () => {
    const texts = Object.fromEntries(
      ["routes", "contracts"].flatMap((folder) => Object.entries(textsOf(folder)).map(([path, text]) => [`${folder}/${path}`, text])),
    );
    const { vars } = lintFiles(filesFrom({ "config/cluster.yaml": read("config/cluster.yaml") }), []).documents.environments.get(
      "cluster",
    ) ?? { vars: {} };
    const { findings } = lintFiles(filesFrom(texts), adapters, vars);
    expect(findings.filter(({ severity }) => severity === "error")).toEqual([]);
  });
});

describe("what observes", () => {
  const documented = new Set([...read("docs/metrics.md").matchAll(/^\| `(mbus_[a-z0-9_]+)`/gmu)].map((match) => match[1] ?? ""));
  const named = (text: string): string[] => [...text.matchAll(/\bmbus_[a-z0-9_]+/gu)].map(([name]) => name);

  it("knows documented metrics only, and shows every one of them", () => {
    type Dashboard = { panels: { title: string; targets: { expr: string }[]; datasource: { uid: string } }[] };
    const dashboards = readdirSync(join(root, "deploy/grafana/dashboards")).map(
      (name) => JSON.parse(read(`deploy/grafana/dashboards/${name}`)) as Dashboard,
    );
    const shown = dashboards.flatMap(({ panels }) => panels.flatMap(({ targets }) => targets.flatMap(({ expr }) => named(expr))));
    expect(new Set(shown)).toEqual(documented);
    expect([...documented]).toEqual(expect.arrayContaining(named(read("deploy/prometheus/alerts.yml"))));
    const source = parse(read("deploy/grafana/provisioning/datasources/prometheus.yml")) as { datasources: { uid: string }[] };
    for (const { panels } of dashboards) for (const { datasource } of panels) expect(datasource.uid).toBe(source.datasources[0]?.uid);
  });

  it("asks each bus and each broker that the cluster has", () => {
    const { scrape_configs: jobs } = parse(read("deploy/prometheus/prometheus.yml")) as {
      scrape_configs: { static_configs: { targets: string[] }[] }[];
    };
    const hosts = jobs.flatMap((job) => job.static_configs.flatMap(({ targets }) => targets.map((target) => target.split(":")[0])));
    expect(new Set(hosts)).toEqual(new Set(services.map(([name]) => name).filter((name) => /^(bus|rabbitmq)-/u.test(name))));
  });
});
