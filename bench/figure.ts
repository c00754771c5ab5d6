/** One measured figure beside the raw limit of the same machine in the same run. */
export type Figure = Readonly<{
  name: string;
  value: number;
  unit: string;
  /** What the bare building block does here and now, in the same unit. */
  limit: number;
  /** value / limit */
  ratio: number;
  /** Other implementations of the same job, by name, in the same unit. */
  peers: Readonly<Record<string, number>>;
  detail?: Readonly<Record<string, number | string>>;
}>;
