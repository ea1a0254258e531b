import { consecutivePlaces, shuffledPlaces } from "../../solver/places";
import { mark, untouched } from "../support";

const N = 50;
const PLACES = memory.data(50 * 4 + 16, 16);

describe("places of a tile", () => {
  test("are, tile after tile, all places once, in another order by another key", () => {
    const seen = new StaticArray<i32>(N);
    let moved = 0;
    let differing = 0;
    for (let index = 0; index < N; index += 20) {
      shuffledPlaces(index, min(20, N - index), N, 7, PLACES + ((<usize>index) << 2));
    }
    for (let i = 0; i < N; ++i) {
      const place = load<i32>(PLACES + ((<usize>i) << 2));
      seen[place] += 1;
      if (place != i) ++moved;
    }
    for (let i = 0; i < N; ++i) expect(seen[i]).toBe(1, i.toString());
    expect(moved).toBeGreaterThan(N / 2);
    const first = load<u32>(PLACES);
    for (let key: u32 = 0; key < 5; ++key) {
      shuffledPlaces(0, 1, N, key, PLACES);
      if (load<u32>(PLACES) != first) ++differing;
    }
    expect(differing).toBeGreaterThan(2);
  });

  test("stand one after the other where they are to be scored, and no more are written", () => {
    mark(PLACES, N * 4);
    consecutivePlaces(1000, 30, PLACES);
    for (let i = 0; i < 30; ++i) expect(load<i32>(PLACES + ((<usize>i) << 2))).toBe(1000 + i);
    expect(untouched(PLACES + 30 * 4, (N - 30) * 4)).toBe(true);
  });
});
