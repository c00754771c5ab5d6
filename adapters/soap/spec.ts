/** Options of the `soap` adapter as a route file writes them: `soap: { wsdl: …, operation: … }`. */
import type { AdapterSpec, OptionsSchema } from "#bus/wire.ts";

const version = {
  enum: ["1.1", "1.2"],
  description: "SOAP version. An inlet takes both unless one is named here; an outlet writes 1.1 unless 1.2 is named.",
};

const inlet: OptionsSchema = {
  type: "object",
  description: "A SOAP address that the outside calls. Its WSDL is served at ?wsdl.",
  additionalProperties: false,
  properties: {
    wsdl: {
      type: "string",
      description:
        "WSDL file of the service the caller already knows, relative to this file. Without it the contract's own WSDL is served.",
    },
    service: { type: "string", description: "Name of the service in the WSDL, where it holds several." },
    operation: { type: "string", description: "Operation that brings this contract's messages. Needed where the service has several." },
    path: {
      type: "string",
      pattern: "^/[A-Za-z0-9._~/-]*$",
      description: "Path below the systems' address, for example /soap/taxoffice/person. Default: /mconnect/soap/<system>/<service>.",
    },
    version,
    validate: {
      enum: ["xsd"],
      description: "What messages are checked against, in both directions. `xsd` is the default and cannot be weakened.",
    },
    headers: {
      type: "array",
      items: { type: "string", pattern: "^[a-z0-9-]+$" },
      maxItems: 32,
      description:
        "HTTP headers kept with the message, in lower case (headers.case-number). Default: every business header; credentials never.",
    },
  },
};

const outlet: OptionsSchema = {
  type: "object",
  description: "A provider's SOAP service that the bus calls.",
  additionalProperties: false,
  required: ["wsdl", "operation"],
  properties: {
    wsdl: { type: "string", description: "WSDL file of the provider's service, relative to this file." },
    service: { type: "string", description: "Name of the service in the WSDL, where it holds several." },
    operation: { type: "string", description: "Operation to call." },
    url: { type: "string", description: "Full address of the service. Default: the system's address and `path`." },
    path: { type: "string", pattern: "^/", description: "Path below the system's address, for example /services/population." },
    version,
    validate: {
      enum: ["xsd"],
      description: "What messages are checked against, in both directions. `xsd` is the default and cannot be weakened.",
    },
    callContext: {
      enum: ["soap", "http", "both", "none"],
      description:
        "How CallingUser, CallingEntity, CallBasis and CallReason are sent: as SOAP headers in https://mconnect.gov.md (default), as HTTP headers, both, or not at all.",
    },
    sign: { type: "boolean", description: "Sign each request with the bus's key for messages (WS-Security)." },
    verify: {
      type: "boolean",
      description: "Take only answers that are signed with a certificate that the receiving system has registered.",
    },
    headers: {
      type: "object",
      additionalProperties: { type: "string", "x-secret": true },
      description: "HTTP headers added to each call; values may use ${var:…} and ${secret:…}.",
    },
  },
};

export const soap: AdapterSpec = { name: "soap", title: "SOAP 1.1 and 1.2 over HTTP", inlet, outlet, format: "soap" };
