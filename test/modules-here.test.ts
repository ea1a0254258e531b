/** Tests compile in their own process; users' fits in one apart. Both give the same bytes. */
import { expect, test } from "vitest";
import { compileRequest, deviceRequest, solverRequest } from "../host/compile/compile.ts";
import { validateShape } from "../host/shape.ts";
import { compiledHere } from "./compile-here.ts";

const shape = validateShape({ vocabulary: 24, bits: 24, window: 5, groups: 2, units: 4, history: 0, matchLength: 0 });

test.each([
  ["device, scalar", deviceRequest(shape, "scalar")],
  ["device, simd", deviceRequest(shape, "simd", { learning: false })],
  ["solver", solverRequest(shape, "simd", true)],
])("%s", async (_name, request) => {
  const apart = await compileRequest(request, shape);
  expect(WebAssembly.validate(apart as BufferSource)).toBe(true);
  expect(await compiledHere(request)).toEqual(apart);
});
