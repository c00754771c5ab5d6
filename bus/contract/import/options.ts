/** What an import is told, and where its files stand. */
import type { WsdlOptions } from "../xml/wsdl.ts";

export type ImportOptions = WsdlOptions &
  Readonly<{
    /** Team that answers for contracts and routes; system that provides the service, system that may call it. */
    owner: string;
    system: string;
    consumer: string;
    /** IDNO of the institution that calls in the tests: the consumer's own. */
    entity: string;
    /** Only these operations; undefined = all. */
    operations?: readonly string[];
    /** First and last day of the grants. */
    valid: Readonly<{ from: string; until: string }>;
    /** Makes a system document of the provider; undefined = it is registered already. */
    register?: Readonly<{ idno: string; institution: string }>;
  }>;

/** Where the files of one import stand; all paths below the root. */
export type Layout = Readonly<{ contracts: string; routes: string; wsdl: string }>;
