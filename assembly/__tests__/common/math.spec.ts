import { EXP_LEAST, exp, exp4, log, log4, maxOfLanes, sumOfLanes } from "../../common/math";

/** A unit in the last place of f32, relative to the value. */
const ULP: f64 = 1.1920928955078125e-7;
const LANES = memory.data(16, 16);

/** Largest error of exp on [low, high] in units in the last place. */
function worstExp(low: f64, high: f64, step: f64): f64 {
  let worst: f64 = 0;
  for (let x = low; x <= high; x += step) {
    const true_ = Math.exp(<f64>(<f32>x));
    worst = Math.max(worst, Math.abs(<f64>exp(<f32>x) / true_ - 1) / ULP);
  }
  return worst;
}

/** Largest error of log on [low, high], absolute below 1 and relative above, in units in the last place. */
function worstLog(low: f64, high: f64, factor: f64): f64 {
  let worst: f64 = 0;
  for (let x = low; x <= high; x *= factor) {
    const true_ = Math.log(<f64>(<f32>x));
    worst = Math.max(worst, Math.abs(<f64>log(<f32>x) - true_) / Math.max(1, Math.abs(true_)) / ULP);
  }
  return worst;
}

describe("exp", () => {
  test("is exact at 0 and the nearest f32 at 1", () => {
    expect(exp(0)).toBe(1);
    expect(exp(1)).toBe(<f32>2.718281828459045);
  });

  test("is within 2 units in the last place from -87 to 88", () => {
    expect(worstExp(-87, 88, 0.00371)).toBeLessThan(2);
  });

  test("is clamped below: still positive and normal, and the same from there on", () => {
    const least = exp(-87);
    expect(least).toBeGreaterThan(1.1754944e-38);
    expect(exp(-86.9)).toBeGreaterThan(least);
    expect(EXP_LEAST).toBe(-87);
    expect(exp(-87.01)).toBe(least);
    expect(exp(-88)).toBe(least);
    expect(exp(-1e30)).toBe(least);
    expect(exp(-Infinity)).toBe(least);
  });
});

describe("log", () => {
  test("is exact at 1 and the nearest f32 at 2 and at e", () => {
    expect(log(1)).toBe(0);
    expect(log(2)).toBe(<f32>0.6931471805599453);
    expect(log(<f32>2.718281828459045)).toBe(1);
  });

  test("is within 2 units in the last place over the normal numbers", () => {
    expect(worstLog(1.18e-38, 3.4e38, 1.0173)).toBeLessThan(2);
  });

  test("is within 2 units in the last place near 1, where the exponent changes", () => {
    expect(worstLog(0.5, 2, 1.00007)).toBeLessThan(2);
  });
});

/** Whether lanes give what scalar code does, to the bit. */
function same(x: f32): bool {
  v128.store(LANES, exp4(f32x4.splat(x)));
  return load<u32>(LANES) == reinterpret<u32>(exp(x)) && load<u32>(LANES, 12) == load<u32>(LANES);
}

if (ASC_FEATURE_SIMD) {
  describe("four lanes", () => {
    test("give the bits of the scalar exp, whichever the lane", () => {
      let differing = 0;
      for (let x: f32 = -100; x < 88; x += 0.0917) {
        v128.store(LANES, exp4(f32x4(x, x + 0.01, x - 3, x * 0.5)));
        if (load<f32>(LANES) != exp(x)) ++differing;
        if (load<f32>(LANES, 4) != exp(x + 0.01)) ++differing;
        if (load<f32>(LANES, 8) != exp(x - 3)) ++differing;
        if (load<f32>(LANES, 12) != exp(x * 0.5)) ++differing;
      }
      expect(differing).toBe(0);
    });

    test("give the bits of the scalar exp over all f32 from -Infinity to 88, in steps of 2,003", () => {
      let differing = 0;
      const half: f32 = 0.3465735902799726; // log(2) / 2: there the nearest integer changes
      for (let sign: u32 = 0; sign < 2; ++sign) {
        const last = sign == 0 ? reinterpret<u32>(<f32>88) : reinterpret<u32>(<f32>Infinity);
        for (let bits: u32 = 0; bits < last; bits += 2003) differing += i32(!same(reinterpret<f32>(bits | (sign << 31))));
      }
      for (let n = -253; n < 254; n += 2) {
        for (let ulps = -3; ulps < 4; ++ulps) {
          differing += i32(!same(reinterpret<f32>(reinterpret<i32>(half * <f32>n) + ulps)));
          differing += i32(!same(reinterpret<f32>(reinterpret<i32>(EXP_LEAST) + ulps)));
        }
      }
      expect(differing).toBe(0);
      expect(same(0) && same(-0.0) && same(-Infinity) && same(1e-45) && same(-1e-45)).toBe(true);
    });

    test("keep what is no number apart", () => {
      v128.store(LANES, exp4(f32x4(NaN, 0, -NaN, 1)));
      expect(isNaN(load<f32>(LANES)) && isNaN(load<f32>(LANES, 8))).toBe(true);
      expect(load<f32>(LANES, 4)).toBe(1);
      expect(load<f32>(LANES, 12)).toBe(exp(1));
    });

    test("give the bits of the scalar log, whichever the lane", () => {
      let differing = 0;
      for (let x: f32 = 1e-37; x < 1e37; x *= 1.0931) {
        v128.store(LANES, log4(f32x4(x, x * 3, x * 0.7, 1 / x)));
        if (load<f32>(LANES) != log(x)) ++differing;
        if (load<f32>(LANES, 4) != log(x * 3)) ++differing;
        if (load<f32>(LANES, 8) != log(x * 0.7)) ++differing;
        if (load<f32>(LANES, 12) != log(1 / x)) ++differing;
      }
      expect(differing).toBe(0);
    });

    test("add up as (0 + 1) + (2 + 3)", () => {
      // f32 has steps of 8 at 1e8: a 1 added to it is lost, two ones added to one another first are not
      expect(sumOfLanes(f32x4(1e8, 1, -1e8, 1))).toBe(0);
      expect(sumOfLanes(f32x4(1, 2, 4, 8))).toBe(15);
    });

    test("have their largest found in any lane", () => {
      expect(maxOfLanes(f32x4(4, 3, 2, 1))).toBe(4);
      expect(maxOfLanes(f32x4(3, 4, 2, 1))).toBe(4);
      expect(maxOfLanes(f32x4(3, 2, 4, 1))).toBe(4);
      expect(maxOfLanes(f32x4(3, 2, 1, 4))).toBe(4);
      expect(maxOfLanes(f32x4(-3, -2, -1, -4))).toBe(-1);
    });
  });
}
