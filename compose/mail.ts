/** The mail outlet of a branch from its options. */
import { createMailOutlet } from "#adapters/mail/outlet.ts";
import type { MailServer } from "#adapters/mail/session.ts";
import { BusError } from "#bus/errors.ts";
import type { Outlet } from "#bus/ports.ts";
import { fillSecrets } from "#bus/route/schema/fill.ts";

/** As the spec of the adapter says. */
type MailOptions = Readonly<{
  server: string;
  security?: MailServer["security"];
  ca?: string;
  user?: string;
  password?: string;
  from: string;
  sender?: string;
  to: string;
  subject: string;
  text: string;
  html?: string;
}>;

export type MailParts = Readonly<{ secret: (name: string) => string; development: boolean }>;

/** Throws `configuration`: an unsafe template, a missing secret, a connection without TLS outside development. */
export function mailOutlet({ secret, development }: MailParts, given: Readonly<Record<string, unknown>>, maxBytes: number): Outlet {
  const options = given as MailOptions;
  const { security = "starttls" } = options;
  if (security === "none" && !development)
    throw new BusError("configuration", "`security: none` of a mail server is for development only; write starttls or tls");
  const filled = (text: string | undefined): string | undefined => (text === undefined ? undefined : fillSecrets(text, secret));
  const [host = "", port] = options.server.split(":");
  const [user, password] = [filled(options.user), filled(options.password)];
  if ((user === undefined) !== (password === undefined))
    throw new BusError("configuration", "a mail server's account needs `user` and `password`");
  const login = user === undefined || password === undefined ? undefined : { user, password };
  const { from, sender, to, subject, text, html } = options;
  return createMailOutlet({
    server: { host, port: port === undefined ? (security === "tls" ? 465 : 587) : Number(port), security, ca: filled(options.ca), login },
    template: { from, to, subject, text, ...(sender !== undefined && { sender }), ...(html !== undefined && { html }) },
    maxBytes,
  });
}
