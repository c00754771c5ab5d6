/** Files in from a folder on an SFTP server. It is connected for each run, and left alone between them. */
import { createDropInlet, type DropInlet, type DropOptions } from "#bus/edge/drop/inlet.ts";
import type { DropSettings } from "#bus/edge/drop/settings.ts";
import { remoteFolder, type RemotePlaces } from "./folder.ts";
import { createLink, type SftpServer } from "./link.ts";
import { createRemote } from "./remote.ts";

export type SftpInletSettings = DropSettings & Readonly<{ server: SftpServer; places: RemotePlaces }>;

export function createSftpInlet({ server, places, ...settings }: SftpInletSettings, options?: DropOptions): DropInlet {
  const link = createLink(server);
  const place = `${server.host}:${server.port}`;
  return createDropInlet(remoteFolder(link, createRemote(link, place), places, `sftp://${place}${places.directory}`), settings, options);
}
