/** What the compilers of bindings are given and give. */
import type { CompiledType } from "../contract/avro.ts";
import type { CompiledContract } from "../contract/compile.ts";
import type { RecordShape } from "../contract/shape.ts";
import type { Folded } from "./compile-steps.ts";
import type { Tools } from "./compile-tools.ts";
import type { BranchDoc, FromDoc } from "./documents.ts";
import type { Binding } from "./runtime.ts";

/** A binding, and the wire's shapes where they are known: what maps are compiled and checked against. */
export type Wire = Readonly<{ binding: Binding; request: RecordShape | undefined; reply: RecordShape | undefined }>;

export type Both = Readonly<{
  /** A map stands between the wire and the contract, on the way in and on the way back. */
  mapped: boolean;
  answered: boolean;
  contract: CompiledContract;
  reply: CompiledType | undefined;
  tools: Tools;
}>;
export type SourceWire = Both & Readonly<{ document: FromDoc; folded: Folded }>;
export type TargetWire = Both & Readonly<{ document: BranchDoc }>;
