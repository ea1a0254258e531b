/** Where things are, whatever the working directory: in the project, and in this package. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The folder of this package. */
export const PEERS = fileURLToPath(new URL(".", import.meta.url));
/** The project's. */
export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

export const inPeers = (...parts: string[]): string => join(PEERS, ...parts);
export const inRoot = (...parts: string[]): string => join(ROOT, ...parts);
