/** Options of the `mail` adapter as a route file writes them: `mail: { server: …, from: …, to: "{email}", subject: …, text: … }`. */
import type { AdapterSpec, OptionsSchema } from "#bus/wire.ts";

const outlet: OptionsSchema = {
  type: "object",
  description: "An e-mail for each message. `{field}` in its texts is filled in from the message; a value is data wherever it stands.",
  additionalProperties: false,
  required: ["server", "from", "to", "subject", "text"],
  properties: {
    server: {
      type: "string",
      pattern: "^[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?$",
      description: "Mail server that takes the mails, with its port; default 587, with `security: tls` 465.",
    },
    security: {
      enum: ["starttls", "tls", "none"],
      description: "`starttls` (the default) and `tls` demand a verified certificate; `none` is for development only.",
    },
    ca: {
      type: "string",
      "x-secret": true,
      description: "Certificate authority (PEM) that the server's certificate is of, where it is no public one: ${secret:mail/ca}.",
    },
    user: { type: "string", "x-secret": true, description: "Account at the server, for example ${secret:mail/user}." },
    password: { type: "string", "x-secret": true, description: "Its password. Only a reference: ${secret:mail/password}." },
    from: { type: "string", maxLength: 254, description: "Address that the mails are from." },
    sender: { type: "string", maxLength: 100, description: "Name that is shown beside the address." },
    to: {
      type: "string",
      maxLength: 1000,
      description:
        "Who gets it: `{field}` of an address or of a list of addresses, or fixed ones with commas. Each gets a mail of its own; at most 50.",
    },
    subject: { type: "string", maxLength: 300, description: "Subject line, for example Decision {number}." },
    text: { type: "string", maxLength: 65_536, description: "The mail as plain text." },
    html: {
      type: "string",
      maxLength: 65_536,
      description: "The same as HTML. Fields stand in its text and in quoted attributes; where a link leads is written out.",
    },
  },
};

export const mail: AdapterSpec = { name: "mail", title: "E-mail", outlet, format: "none" };
