/**
 * The face for operators: look inside, pause, replay. The console and the command line speak to it over /api/v1; every act that
 * changes something names its operator and reason and leaves an `act` row in the journal.
 */
import type { AccessAnswer, AccessQuestion } from "./access/explain.ts";
import type { GrantState } from "./access/expiry.ts";
import type { DeadLetterRow } from "./delivery/deadletter.ts";
import type { Catalogue } from "./catalogue/catalogue.ts";
import type { CatalogueEntry } from "./catalogue/entries.ts";
import type { ActResult, DeadLetterAdmin, DeadLetterGroup } from "./delivery/deadletters.ts";
import type { EndpointState } from "./delivery/endpoints.ts";
import type { ReplayAdmin, ReplayRow } from "./delivery/replay.ts";
import type { ReplayCount } from "./delivery/replay-scan.ts";
import type { BranchState } from "./delivery/branch-state.ts";
import type { UnclaimedGroup } from "./keep/known-groups.ts";
import type { JournalQuery, StoredRecord } from "./journal/record.ts";
import type { Revision } from "./revision/archive.ts";
import type { Applied, ChangeAdmin, Mode, Proposed } from "./revision/changes.ts";
import type { Plan } from "./revision/plan.ts";
import type { Proposal } from "./revision/proposals.ts";
import { diffTrees, treeOf, type Tree } from "./revision/tree.ts";
import type { Finding } from "./route/findings.ts";

export type RouteStatus = Readonly<{
  id: string;
  title: string;
  owner: string;
  pattern: string;
  contract: string;
  state: "active" | "paused" | "draft";
  revision: string;
  place: string;
  branches: readonly BranchState[];
}>;

export type ClusterStatus = Readonly<{ node: string; partitions: readonly number[]; of: number }>;

export type Status = Readonly<{
  version: string;
  pid: number;
  startedAt: number;
  /** True when the files on disk say something else than what runs; `findings` tells why. */
  drift: boolean;
  findings: readonly Finding[];
  /** Where the running files come from (`MBUS_CHANGES`), and the revision that runs in the process that answers. */
  changes: Mode;
  revision?: Revision | undefined;
  routes: readonly RouteStatus[];
  /** Consumer groups of routes that no process runs any more: they are forgotten when their time is over. */
  unclaimed: readonly UnclaimedGroup[];
  /** The process that answers, where several are one bus: its name, the partitions that it works on, and how many there are. */
  cluster?: ClusterStatus | undefined;
  /** Grants that end within thirty days, or ended within as many. */
  expiring: readonly GrantState[];
  deadletters: number;
  openBreakers: number;
  memory: Readonly<{ rss: number; heapUsed: number }>;
}>;

export type ContractInfo = Readonly<{
  name: string;
  version: number;
  pattern: string;
  owner: string;
  title: string;
  id: string;
  /** Paths below the systems' face, where served. */
  wsdl: string | undefined;
  rest: string | undefined;
}>;

export type SystemInfo = Readonly<{
  id: string;
  title: string;
  institution: Readonly<{ idno: string; name: string }>;
  addresses: readonly string[];
}>;

/** What can be proved of the journal, and whether it still is what was sealed. */
export interface EvidenceAdmin {
  /** ASiC-E container over the records of one exchange. Throws not-found, evidence-broken, evidence-pending. */
  export(id: string, records: readonly StoredRecord[]): Promise<Uint8Array>;
  /** Differences between journal and log from a position on, one sentence each, at most `limit`. */
  check(from: number, limit: number): Promise<readonly string[]>;
  /** That the log of now begins with the one of `size` entries: hashes of RFC 6962 §2.1.2, base64, and the checkpoint of now. */
  consistency(size: number): Promise<Readonly<{ checkpoint: string; proof: readonly string[] }>>;
  /** Entries in the log, journal position of the last one, newest checkpoint (signed note) and the key to check it with (C2SP vkey). */
  state(): Promise<
    Readonly<{
      size: number;
      position: number;
      checkpoint: string;
      verifierKey: string;
      /** Entries that the newest time-stamp covers, its time, and since when an entry waits for one; undefined = no authority is asked. */
      stamp: Readonly<{ size: number; at: number | undefined; waitingSince: number | undefined }> | undefined;
    }>
  >;
}

export interface Admin {
  /** What can be exchanged, and by whom it is provided. */
  readonly catalogue: Catalogue;
  status(): Promise<Status>;
  contracts(): readonly ContractInfo[];
  /** Grants that run, the one that ends first in front. */
  grants(): readonly GrantState[];
  /** Why a system may or may not use a contract; without `at`: now. */
  access(question: Omit<AccessQuestion, "at"> & Partial<Pick<AccessQuestion, "at">>): AccessAnswer;
  systems(): readonly SystemInfo[];
  endpoints(): readonly EndpointState[];
  pause(route: string, paused: boolean, operator: string, reason: string): Promise<void>;
  journal(query: JournalQuery): Promise<Readonly<{ records: readonly StoredRecord[]; cursor: number | undefined }>>;
  /** Every row of one exchange, oldest first; `id` is a message id, a correlation id or a trace id's correlation. */
  trace(id: string): Promise<readonly StoredRecord[]>;
  readonly deadletters: DeadLetterAdmin;
  readonly replay: ReplayAdmin;
  readonly changes: ChangeAdmin;
  /** The evidence container of one message, or of a whole exchange where `id` is a correlation id. */
  evidence(id: string): Promise<Uint8Array>;
  readonly log: Pick<EvidenceAdmin, "check" | "consistency" | "state">;
}

export { diffTrees, treeOf };
export type {
  AccessAnswer,
  GrantState,
  ActResult,
  CatalogueEntry,
  Applied,
  DeadLetterGroup,
  DeadLetterRow,
  EndpointState,
  JournalQuery,
  Plan,
  Proposal,
  Proposed,
  ReplayCount,
  ReplayRow,
  Revision,
  StoredRecord,
  Tree,
  UnclaimedGroup,
};
