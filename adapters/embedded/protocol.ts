/** What the main thread and the engine's worker say to each other. One batch is one transaction, one flush, one answer. */

/** Numbers per record in `Batch.meta`, before its search keys. */
export const META = { offset: 0, length: 1, time: 2, topic: 3, dedupe: 4, window: 5, keys: 6, size: 7 } as const;

/** Bytes before each record in a block: length (uint32) and log time (float64), little-endian. */
export const FRAME = 12;

/** A write that is part of the batch's transaction. */
export type WriteOp =
  | Readonly<{ op: "group"; topic: number; name: string; from: "start" | "new" }>
  | Readonly<{ op: "cursor"; group: number; scan: number; pending: Float64Array; upsert: Float64Array; drop: Float64Array }>
  | Readonly<{ op: "collection"; name: string; unique: readonly string[]; index: readonly string[] }>
  | Readonly<{ op: "insert"; collection: number; id: string; value: string }>
  | Readonly<{ op: "update"; collection: number; id: string; version: number; value: string }>
  | Readonly<{ op: "remove"; collection: number; id: string }>
  | Readonly<{ op: "blob"; id: string; bytes: Uint8Array; time: number }>
  | Readonly<{ op: "blob-remove"; id: string }>
  | Readonly<{ op: "forget"; topic: string; name: string }>
  | Readonly<{ op: "place"; topic: number; name: string; scan: number }>
  | Readonly<{ op: "retain"; before: number; maxBytes: number; keepFrom: number; blobs: string | undefined; ignoreGroups: boolean }>;

/** A read; answered after the batch's transaction. */
export type ReadOp =
  | Readonly<{ op: "read"; from: number; limit: number; bytes: number }>
  | Readonly<{ op: "at"; positions: Float64Array }>
  | Readonly<{ op: "page"; topic: number; after: number; limit: number; bytes: number }>
  | Readonly<{ op: "lag"; topic: number; after: number }>
  | Readonly<{
      op: "find";
      keys: readonly number[];
      from: number;
      to: number;
      ascending: boolean;
      limit: number;
      cursor: number;
    }>
  | Readonly<{ op: "get"; collection: number; id: string }>
  | Readonly<{
      op: "documents";
      collection: number;
      where: readonly (readonly [string, Plain])[];
      range: Range | undefined;
      limit: number;
      after: string;
    }>
  | Readonly<{ op: "blob-read"; id: string }>
  | Readonly<{ op: "groups" }>
  | Readonly<{ op: "stats" }>
  | Readonly<{ op: "check" }>;

export type Plain = string | number | boolean;
export type Range = Readonly<{ member: string; from?: string | number; to?: string | number }>;

export type Op = WriteOp | ReadOp;

/** Kept apart from reads: they make the batch a transaction. */
export const WRITES: ReadonlySet<string> = new Set([
  "group",
  "cursor",
  "collection",
  "insert",
  "update",
  "remove",
  "blob",
  "blob-remove",
  "forget",
  "place",
  "retain",
]);

/** What looks into rows of blocks and topics: those that wait are written before. */
export const ROWS: ReadonlySet<string> = new Set(["page", "lag", "find", "retain", "stats", "check"]);

export type Batch = Readonly<{
  id: number;
  /** Framed records, one after the other. */
  data: ArrayBuffer;
  meta: ArrayBuffer;
  records: number;
  /** Topics first named in this batch. */
  topics: readonly (readonly [number, string])[];
  ops: readonly Op[];
}>;

export type Fault = Readonly<{ code: string; message: string }>;
export type OpAnswer = Readonly<{ value: unknown } | { fault: Fault }>;

export type Answer = Readonly<{
  id: number;
  /** Position of each record; negative = not written, the record at this position (negated) came first. */
  positions: Float64Array;
  ops: readonly OpAnswer[];
  /** Nothing of this batch was written; `fatal`: and nothing will be any more. */
  fault?: Fault;
  fatal?: boolean;
}>;

/** Records cut out of blocks: frames as in a block, positions beside them. */
export type Records = Readonly<{ positions: Float64Array; data: Uint8Array }>;
export type Found = Readonly<{ records: Records; next: number | undefined }>;
/** `end`: the topic has nothing more up to `scanned`; else the page was cut by its limits. */
export type Page = Readonly<{ records: Records; scanned: number; end: boolean }>;
export type RetryRow = Readonly<{ position: number; attempt: number; nextAt: number; firstAt: number }>;
export type GroupRow = Readonly<{ group: number; scan: number; pending: Float64Array; retries: readonly RetryRow[] }>;

/** A group, whether anybody subscribes it or not. */
export type NamedGroup = Readonly<{ topic: string; name: string; scan: number; pending: Float64Array; retries: readonly RetryRow[] }>;

export type Opening = Readonly<{ dataDir: string; cacheBytes: number; runRecords: number; checkpointPages: number; fileBytes: number }>;
/** The worker's first message. */
export type Opened =
  | Readonly<{ ready: true; last: number; lastTime: number; topics: readonly (readonly [number, string])[] }>
  | Readonly<{ ready: false; fault: Fault }>;
