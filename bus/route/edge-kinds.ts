/** Kinds of edges that routes treat alike, whichever adapter it is. */

/** Adapters whose inlet reads files record by record, and whose outlet writes one. */
const FILES: ReadonlySet<string> = new Set(["file", "sftp"]);
export const isFileEdge = (adapter: string): boolean => FILES.has(adapter);

/** Adapters whose content is JSON on both sides. */
const JSON_EDGES: ReadonlySet<string> = new Set(["http", "postgres"]);
export const speaksJson = (adapter: string): boolean => JSON_EDGES.has(adapter);
