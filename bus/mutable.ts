/** A record while it is still being put together; its readers see it readonly. */
export type Mutable<T> = { -readonly [K in keyof T]: T[K] };
