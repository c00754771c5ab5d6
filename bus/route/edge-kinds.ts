/** Kinds of edges that routes treat alike, whichever adapter it is. */

/** Adapters whose inlet reads files record by record, and whose outlet writes one. */
const FILES: ReadonlySet<string> = new Set(["file", "sftp"]);
export const isFileEdge = (adapter: string): boolean => FILES.has(adapter);
