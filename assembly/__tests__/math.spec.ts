import { exp } from "../math";
const A = memory.data(64, 16);
describe("math", () => {
  test("exp(1)", () => { store<f32>(A, exp(1)); expect(load<f32>(A)).toBeCloseTo(2.718281828, 5); });
});
