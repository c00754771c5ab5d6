/** The registry's own error codes (Confluent schema registry, Errors.java) as BusErrors that know their HTTP form. */
import { BusError } from "#bus/errors.ts";
import type { ErrorCode } from "#bus/errors.ts";

/** `errorCode` is five digits, its first three the HTTP status. */
export class RegistryFault extends BusError {
  readonly errorCode: number;
  readonly status: number;

  constructor(code: ErrorCode, errorCode: number, message: string, status: number = Math.floor(errorCode / 100)) {
    super(code, message);
    this.errorCode = errorCode;
    this.status = status;
  }
}

export const noSubject = (subject: string): RegistryFault => new RegistryFault("not-found", 40401, `Subject '${subject}' not found.`);
export const noVersion = (version: number | string): RegistryFault =>
  new RegistryFault("not-found", 40402, `Version ${version} not found.`);
export const noSchema = (what: number | string): RegistryFault =>
  new RegistryFault("schema-unknown", 40403, what === "" ? "Schema not found" : `Schema ${what} not found`);
export const subjectSoftDeleted = (subject: string): RegistryFault =>
  new RegistryFault("not-found", 40404, `Subject '${subject}' was soft deleted. Set permanent=true to delete permanently`);
export const subjectNotSoftDeleted = (subject: string): RegistryFault =>
  new RegistryFault("not-found", 40405, `Subject '${subject}' was not deleted first before being permanently deleted`);
export const versionSoftDeleted = (subject: string, version: number): RegistryFault =>
  new RegistryFault(
    "not-found",
    40406,
    `Subject '${subject}' Version ${version} was soft deleted. Set permanent=true to delete permanently`,
  );
export const versionNotSoftDeleted = (subject: string, version: number): RegistryFault =>
  new RegistryFault("not-found", 40407, `Subject '${subject}' Version ${version} was not deleted first before being permanently deleted`);
export const noLevel = (subject: string): RegistryFault =>
  new RegistryFault("not-found", 40408, `Subject '${subject}' does not have subject-level compatibility configured`);
export const noMode = (subject: string): RegistryFault =>
  new RegistryFault("not-found", 40409, `Subject '${subject}' does not have subject-level mode configured`);
export const incompatible = (subject: string, rules: readonly string[]): RegistryFault =>
  new RegistryFault(
    "schema-incompatible",
    40901,
    `Schema being registered is incompatible with an earlier schema for subject "${subject}", details: [${rules.join("; ")}]`,
  );
export const badSchema = (text: string): RegistryFault => new RegistryFault("schema-invalid", 42201, `Invalid schema: ${text}`);
export const badVersion = (version: string): RegistryFault =>
  new RegistryFault(
    "http-request",
    42202,
    `The specified version '${version}' is not a valid version id. Allowed values are between [1, 2^31-1] and the string "latest"`,
  );
export const badLevel = (level: string): RegistryFault =>
  new RegistryFault(
    "http-request",
    42203,
    `Invalid compatibility level '${level}'. Valid values are none, backward, forward, full, backward_transitive, forward_transitive, and full_transitive`,
  );
export const badMode = (): RegistryFault =>
  new RegistryFault("http-request", 42204, "Invalid mode. Valid values are READWRITE, READONLY, READONLY_OVERRIDE, IMPORT");
export const notPermitted = (text: string): RegistryFault => new RegistryFault("admin-denied", 42205, text);
export const badSubject = (subject: string): RegistryFault =>
  new RegistryFault(
    "http-request",
    42208,
    `The subject '${subject.slice(0, 60)}' is not valid: 1 to 200 letters, digits and . _ - : / starting with a letter or digit`,
  );
