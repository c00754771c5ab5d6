/** Files in from a folder of this machine. */
import { createDropInlet, type DropInlet, type DropOptions } from "#bus/edge/drop/inlet.ts";
import type { FileInletSettings } from "#bus/edge/drop/settings.ts";
import { gunzip } from "./content.ts";
import { localFolder } from "./folder.ts";

export function createFileInlet({ directory, done, failed, ...settings }: FileInletSettings, options?: DropOptions): DropInlet {
  return createDropInlet(localFolder({ directory, done, failed }), { ...settings, gunzip }, options);
}
