/**
 * E-mail out: each recipient gets a mail of its own, so that none sees another, and each one's refusal is its own. What some have got
 * is remembered for the next attempt of the same message, which goes to the others only.
 */
import type { Message } from "#bus/envelope.ts";
import { BusError } from "#bus/errors.ts";
import type { Outlet } from "#bus/ports.ts";
import { mailFailure } from "./failure.ts";
import { openSession, type MailServer, type Session } from "./session.ts";
import { compileMail, type MailTemplate } from "./write.ts";

export type MailOutletSettings = Readonly<{ server: MailServer; template: MailTemplate; maxBytes: number }>;

/** Messages with an attempt behind them whose recipients are remembered. */
const REMEMBERED = 10_000;

/** What became of the recipients of one message: who has it, and whom the server refused for good, with its code. */
type Progress = Readonly<{ taken: Set<string>; refused: Map<string, string> }>;

/** Throws `configuration` where the templates are unsafe. */
export function createMailOutlet({ server, template, maxBytes }: MailOutletSettings): Outlet {
  const writer = compileMail(template, maxBytes);
  const name = `${server.host}:${server.port}`;
  const known = new Map<string, Progress>();
  const progressOf = (id: string): Progress => {
    const before = known.get(id) ?? { taken: new Set(), refused: new Map() };
    known.delete(id);
    known.set(id, before);
    const [oldest] = known.keys();
    if (known.size > REMEMBERED && oldest !== undefined) known.delete(oldest);
    return before;
  };

  async function deliver(
    message: Message,
    open: readonly string[],
    progress: Progress,
    signal: AbortSignal,
  ): Promise<BusError | undefined> {
    let session: Session | undefined;
    let later: BusError | undefined;
    try {
      for (const recipient of open) {
        const mail = await writer.write(message, recipient);
        try {
          session ??= await openSession(server, signal);
          await session.send(template.from, recipient, mail);
          progress.taken.add(recipient);
        } catch (thrown) {
          const { error, answer, lasting } = mailFailure(thrown, name, signal);
          if (!answer) throw error;
          if (lasting) progress.refused.set(recipient, error.providerCode ?? "");
          else later ??= error;
          await session?.reset();
        }
      }
      return later;
    } catch (thrown) {
      throw mailFailure(thrown, name, signal).error;
    } finally {
      session?.end();
    }
  }

  return {
    endpoint: `smtp://${name}`,
    async send(message, signal) {
      const { id } = message.envelope;
      const all = writer.recipients(message);
      const progress = progressOf(id);
      const open = all.filter((one) => !progress.taken.has(one) && !progress.refused.has(one));
      const later = await deliver(message, open, progress, signal);
      if (later) throw later;
      if (progress.refused.size === 0) {
        known.delete(id);
        return undefined;
      }
      const refused = refusalOf(name, all, progress);
      // who tries again after all, by hand, means these
      progress.refused.clear();
      throw refused;
    },
    close: () => Promise.resolve(),
  };
}

/** Recipients by their number: their addresses are personal data. */
function refusalOf(name: string, all: readonly string[], { refused }: Progress): BusError {
  const places = all.flatMap((one, index) => {
    const code = refused.get(one);
    return code === undefined
      ? []
      : [{ path: `to[${index}]`, rule: code, text: `recipient ${index + 1} of ${all.length} was refused with ${code}` }];
  });
  const [first] = refused.values();
  return new BusError("provider-fault", `${name} refused ${refused.size} of ${all.length} recipients for good (${first})`, {
    places,
    ...(first !== undefined && { providerCode: first }),
  });
}
