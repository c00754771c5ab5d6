/**
 * Expanded names (Namespaces in XML 1.0) as interned objects, so that a reader dispatches by identity, and
 * namespace scopes that remember how a raw name resolved. Scopes of documents that declare the same prefixes are shared
 * between documents; both memories are bounded, so a stranger's prefixes cannot grow them.
 */

/** An expanded name. Names of one vocabulary are interned: equal names are the same object, and know how they are written (nameKey). */
export type Name = Readonly<{ ns: string; local: string; key?: string }>;

export type Scope = Readonly<{
  /** Prefix to namespace, `""` is the default namespace. */
  prefixes: ReadonlyMap<string, string>;
  /** What the element that opened this scope declared: alternating prefix, namespace. */
  declared: readonly string[];
  /** Raw element and attribute names that were resolved here and belong to the vocabulary. */
  elements: Map<string, ElementName>;
  attributes: Map<string, Name>;
  /** Scopes opened below this one, by their declarations. */
  inner: Map<string, Scope>;
}>;

/**
 * A raw element name as it resolved in its scope. Messages of one kind repeat themselves, so what comes next is mostly known
 * before it is read and only compared: `follower` is the element that came after this one last time, `tag` what stood in its start tag.
 */
export type ElementName = Readonly<{ raw: string; bytes: Uint8Array; name: Name; scope: Scope }> & {
  follower: ElementName | undefined;
  tag: Tag | undefined;
};
/** Namespace declarations of a start tag, from behind the name through `>`, that lead from the scope `outer` to the element's own. */
export type Tag = Readonly<{ outer: Scope; bytes: Uint8Array }>;

/** The names a compiled reader knows, the scope every document starts in, and what stands before a root element. */
export type Vocabulary = Readonly<{ names: Map<string, Name>; root: Scope; start: ElementName }>;

export const XML_NS = "http://www.w3.org/XML/1998/namespace";
export const XMLNS_NS = "http://www.w3.org/2000/xmlns/";
export const XSI_NS = "http://www.w3.org/2001/XMLSchema-instance";
export const XSD_NS = "http://www.w3.org/2001/XMLSchema";

const MAX_SCOPES = 64;
const MAX_SCOPE_KEY = 2048;

function newScope(prefixes: ReadonlyMap<string, string>, declared: readonly string[] = []): Scope {
  return { prefixes, declared, elements: new Map(), attributes: new Map(), inner: new Map() };
}

export function newVocabulary(): Vocabulary {
  const root = newScope(new Map([["xml", XML_NS]]));
  return { names: new Map(), root, start: newElementName("", { ns: "", local: "" }, root) };
}

function newElementName(raw: string, name: Name, scope: Scope): ElementName {
  return { raw, bytes: Buffer.from(raw, "latin1"), name, scope, follower: undefined, tag: undefined };
}

/** The one Name object of an expanded name in this vocabulary; made when new. */
export function intern(vocabulary: Vocabulary, ns: string, local: string): Name {
  const key = nameKey(ns, local);
  const known = vocabulary.names.get(key);
  if (known !== undefined) return known;
  const name: Name = { ns, local, key };
  vocabulary.names.set(key, name);
  return name;
}

/** `{namespace}local`, or the local name alone without a namespace. */
export function nameKey(ns: string, local: string): string {
  return ns === "" ? local : `{${ns}}${local}`;
}

export function showName(name: Name): string {
  return name.key ?? nameKey(name.ns, name.local);
}

/** The scope below `scope` with these declarations (alternating prefix, namespace). */
export function enterScope(scope: Scope, declarations: readonly string[]): Scope {
  const key = declarations.join("\n");
  const known = scope.inner.get(key);
  if (known !== undefined) return known;
  const prefixes = new Map(scope.prefixes);
  for (let i = 0; i < declarations.length; i += 2) prefixes.set(declarations[i] ?? "", declarations[i + 1] ?? "");
  const made = newScope(prefixes, declarations);
  if (scope.inner.size < MAX_SCOPES && key.length <= MAX_SCOPE_KEY) scope.inner.set(key, made);
  return made;
}

/** Resolves a name, `raw` in the document's string and `text` decoded; undefined when its prefix is unbound. */
export function resolveName(vocabulary: Vocabulary, scope: Scope, raw: string, text: string, attribute: boolean): Name | undefined {
  const colon = text.indexOf(":");
  const prefix = colon === -1 ? "" : text.slice(0, colon);
  const ns = colon === -1 && attribute ? "" : scope.prefixes.get(prefix);
  if (ns === undefined && prefix !== "") return undefined;
  const local = text.slice(colon + 1);
  const known = vocabulary.names.get(nameKey(ns ?? "", local));
  if (known === undefined) return { ns: ns ?? "", local };
  // Only names of the vocabulary are remembered.
  if (attribute) scope.attributes.set(raw, known);
  else scope.elements.set(raw, newElementName(raw, known, scope));
  return known;
}
