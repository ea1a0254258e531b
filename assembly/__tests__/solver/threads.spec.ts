import { shareStart } from "../../solver/threads";

describe("shares", () => {
  test("of all threads cover the work once, in order, whatever the number of threads", () => {
    let failures = 0;
    for (let n = 0; n < 70; ++n) {
      for (let threads = 1; threads <= 16; ++threads) {
        if (shareStart(n, 4, 0, threads) != 0 || shareStart(n, 4, threads, threads) != n) ++failures;
        for (let thread = 0; thread < threads; ++thread) {
          if (shareStart(n, 4, thread + 1, threads) < shareStart(n, 4, thread, threads)) ++failures;
        }
      }
    }
    expect(failures).toBe(0);
  });

  test("start at whole units and differ by one unit at the most", () => {
    let failures = 0;
    for (let n = 4; n < 200; n += 4) {
      for (let threads = 1; threads <= 16; ++threads) {
        const units = n / 4;
        for (let thread = 0; thread < threads; ++thread) {
          const start = shareStart(n, 4, thread, threads);
          const share = shareStart(n, 4, thread + 1, threads) - start;
          if (start % 4 != 0) ++failures;
          // the whole part of an even share, or one more
          if (share / 4 != units / threads && share / 4 != (units + threads - 1) / threads) ++failures;
        }
      }
    }
    expect(failures).toBe(0);
  });
});
