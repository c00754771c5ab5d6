/** Every adapter that a route file may name. A new adapter is one line here. */
import { amqp } from "#adapters/amqp/spec.ts";
import { file } from "#adapters/file/spec.ts";
import { http } from "#adapters/http/spec.ts";
import { mail } from "#adapters/mail/spec.ts";
import { nats } from "#adapters/nats/spec.ts";
import { postgres } from "#adapters/postgres/spec.ts";
import { sftp } from "#adapters/sftp/spec.ts";
import { soap } from "#adapters/soap/spec.ts";
import type { AdapterSpec } from "#bus/wire.ts";

export const adapters: readonly AdapterSpec[] = [soap, http, file, sftp, postgres, mail, nats, amqp];
