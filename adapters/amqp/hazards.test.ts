import { describe, expect, it } from "vitest";
import { hazardOf, versionHazards } from "./hazards.ts";

const version = (text: string, product = "RabbitMQ") => {
  const [major = 0, minor = 0] = text.split(".").map(Number);
  return { product, major, minor, text: `${product} ${text}` };
};
const refused = (argument: string) =>
  new Error(`406 (PRECONDITION-FAILED) with message "PRECONDITION_FAILED - inequivalent arg '${argument}' for queue 'q'"`);

describe("hazards of a RabbitMQ", () => {
  it.each([
    ["3.9.11", ["amqp.version"]],
    ["3.10.8", []],
    ["4.0.1", []],
  ])("version %s", (text, settings) => {
    expect(versionHazards(version(text)).map((hazard) => hazard.setting)).toEqual(settings);
  });
  it("another server than RabbitMQ is one", () => {
    expect(versionHazards(version("5.0.0", "LavinMQ")).map((hazard) => hazard.setting)).toEqual(["amqp.product"]);
  });
  it.each([
    ["x-queue-type", "amqp.quorum"],
    ["durable", "amqp.quorum"],
    ["x-dead-letter-exchange", "amqp.dead-letter"],
    ["x-dead-letter-strategy", "amqp.dead-letter"],
    ["x-overflow", "amqp.dead-letter"],
    ["x-delivery-limit", "amqp.delivery-limit"],
    ["x-max-length", "amqp.topology"],
  ])("a queue that differs in %s is %s", (argument, setting) => {
    expect(hazardOf("the queue q", refused(argument))?.setting).toBe(setting);
  });
  it("a refusal for another reason is none", () => {
    expect(hazardOf("the queue q", new Error("403 (ACCESS-REFUSED)"))).toBeUndefined();
  });
});
