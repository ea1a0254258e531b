/**
 * Tests that need something from outside this repository: a program, a runtime, a service.
 *
 * ```ts
 * const chromium = onPath("chromium");
 * needs("chromium", chromium)("a page", () => { … });
 * ```
 */
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { describe, test } from "vitest";

/**
 * A `describe` for tests that need `what`. Where it is missing they are skipped, saying so; where CI is set, which is where nothing
 * may go untested unseen, one test fails in their place.
 *
 * @param found whatever `what` was found as; missing if undefined or false
 */
export function needs(what: string, found: unknown): (name: string, body: () => void) => void {
  if (found !== undefined && found !== false) return describe;
  return (name, body) => {
    if (!process.env.CI) {
      console.warn(`skipped, needs ${what}: ${name}`);
      describe.skip(`${name} (needs ${what})`, body);
      return;
    }
    test(`${name} (needs ${what})`, () => {
      throw new Error(`${what} is missing: where CI is set, nothing is skipped`);
    });
  };
}

/** Where a program stands, if it is on the PATH. */
export function onPath(program: string): string | undefined {
  const places = (process.env.PATH ?? "").split(delimiter).map((folder) => join(folder, program));
  return places.find((place) => {
    try {
      accessSync(place, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
