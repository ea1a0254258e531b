/** Every test compiles in its own process, unless it says `vi.unmock("../host/compile/compile.ts")`. */
import { vi } from "vitest";

vi.mock("../host/compile/compile.ts", async (original) => {
  const { compilingHere } = await import("./compile-warm.ts");
  return compilingHere(await original());
});
