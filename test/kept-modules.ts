/** What the tests' processes compile is kept for the others, and removed at the end. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export default function setup(): () => void {
  const folder = mkdtempSync(join(tmpdir(), "saffu-modules-"));
  process.env.SAFFU_MODULES = folder;
  return () => rmSync(folder, { recursive: true, force: true });
}
