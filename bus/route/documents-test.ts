/** Tests of a route: run without broker or network, on a virtual clock. */
import type { CallContext } from "../envelope.ts";
import type { ErrorClass } from "../errors.ts";
import type { Located, Path } from "./documents.ts";

/** One answer of a mocked branch or enriched contract; `file` is resolved from the root, `json` is the value itself. */
export type MockDoc =
  | Readonly<{ kind: "reply"; file: string }>
  | Readonly<{ kind: "reply"; json: Readonly<Record<string, unknown>> }>
  | Readonly<{ kind: "fail"; class: ErrorClass; code?: string }>;

/** `none`: nothing may be sent. `json` and `xml` name only the members to compare. */
export type SentDoc =
  | "none"
  | Readonly<{ contract?: string; count?: number; json?: Readonly<Record<string, unknown>>; xml?: Readonly<Record<string, unknown>> }>;

export type ExpectDoc = Readonly<{
  /** `xml`: XPath to expected text; `json`: members to compare. */
  reply?: Readonly<{ ok?: boolean; json?: Readonly<Record<string, unknown>>; xml?: Readonly<Record<string, unknown>> }>;
  /** By branch name. */
  sent?: Readonly<Record<string, SentDoc>>;
  /** By topic. */
  tapped?: Readonly<Record<string, SentDoc>>;
  journal?: Readonly<Record<string, unknown>>;
  /** Error class of the refusal, and its code where that matters. */
  fault?: ErrorClass;
  code?: string;
  attempts?: number;
  /** `"< 9s"` and `"> 1s"`: bounds in ms. */
  elapsed?: Readonly<{ below?: number; above?: number }>;
  dropped?: boolean;
  deadletters?: number;
}>;

export type CaseDoc = Readonly<{
  name: string;
  /** Virtual time at the start, ms since the epoch. */
  at?: number;
  given: Readonly<{
    from?: string;
    file?: string;
    json?: Readonly<Record<string, unknown>>;
    headers: Readonly<Record<string, string>>;
    system?: string;
    call: CallContext;
  }>;
  /** By branch name or enriched contract; the last answer repeats. */
  mocks: Readonly<Record<string, readonly MockDoc[]>>;
  expect: ExpectDoc;
  path: Path;
}>;

/** `id` is the route's id and the file: tests have no id of their own. */
export type TestDoc = Located & Readonly<{ kind: "test"; id: string; route: string; cases: readonly CaseDoc[] }>;
