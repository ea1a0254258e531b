/** Where things are, whatever the working directory: in the project, and in the lab. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The folder of this package. */
export const LAB = fileURLToPath(new URL(".", import.meta.url));
/** The project's. */
export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

export const inLab = (...parts: string[]): string => join(LAB, ...parts);
export const inRoot = (...parts: string[]): string => join(ROOT, ...parts);
