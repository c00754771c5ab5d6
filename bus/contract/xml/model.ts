/** An XML Schema as the compiler sees it: components resolved, references followed, nothing textual left. */
import type { Name } from "./names.ts";
import type { SimpleType } from "./facets.ts";
import type { XNode } from "./tree.ts";

export type AttributeUse = Readonly<{
  name: Name;
  type: SimpleType;
  required: boolean;
  default: string | undefined;
  fixed: string | undefined;
  node: XNode;
}>;

export type Occurs = Readonly<{ min: number; max: number }>;

export type ElementParticle = Occurs & Readonly<{ kind: "element"; element: ElementDecl; node: XNode }>;
export type GroupParticle = Occurs & Readonly<{ kind: "sequence" | "choice" | "all"; parts: readonly Particle[]; node: XNode }>;
/** xs:any: what stands there is read past. `namespaces` undefined = any. */
export type AnyParticle = Occurs & Readonly<{ kind: "any"; accepts: (name: Name) => boolean; node: XNode }>;
export type Particle = ElementParticle | GroupParticle | AnyParticle;

export type ComplexType = Readonly<{
  kind: "complex";
  name: Name | undefined;
  attributes: readonly AttributeUse[];
  anyAttribute: boolean;
  /** Simple content: its type; then there is no particle. */
  text: SimpleType | undefined;
  particle: Particle | undefined;
  abstract: boolean;
  node: XNode;
}>;

export type ElementDecl = Readonly<{
  name: Name;
  /** Resolved on first use, so that types may contain themselves. */
  type: () => SimpleType | ComplexType;
  nillable: boolean;
  default: string | undefined;
  fixed: string | undefined;
  node: XNode;
}>;

/** Finds global components by `{namespace}local`. Throws `configuration` where something unsupported is used. */
export interface SchemaSet {
  readonly targets: readonly string[];
  readonly documents: readonly SchemaDocument[];
  element(name: Name): ElementDecl | undefined;
  type(name: Name): SimpleType | ComplexType | undefined;
}

export type SchemaDocument = Readonly<{
  root: XNode;
  file: string;
  /** Target namespace; an included document without one takes its includer's. */
  target: string;
  qualifiedElements: boolean;
  qualifiedAttributes: boolean;
}>;

/** Text of a file named in a schema, by its location and the file that names it. Never fetches anything. */
export type Resolve = (location: string, base: string | undefined) => string | undefined;

export type SchemaOptions = Readonly<{
  resolve: Resolve;
  /** What to do with xs:any and xs:anyAttribute: refuse the schema (default), or read past what stands there. */
  wildcards?: "refuse" | "skip";
}>;
