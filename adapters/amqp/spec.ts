/** What RabbitMQ as a broker promises beyond what every broker must; the conformance suite reads it. */
export const FEATURES = { broker: ["depth"] } as const;
