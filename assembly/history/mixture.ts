// The mixture of history attention (ours): the distribution of the tokens that followed the matches of length l, q_l, is mixed in length by
// length, p_l = (1 − λ) p_{l−1} + λ q_l with p_0 the network's, so that each length backs off to the one below and at last to the network.
// λ comes from a table that says for each length how far to trust it, by how many matches there are and how much their followers agree.
import { MATCH_LENGTH } from "../shape";
import { endOfMatches, firstMatch, followerOf, lengthOf, Matches, weightOf } from "./matches";

/**
 * The bucket of one match length: matches (1, 2, 3, 4, to 8, to 16, to 64, more) times how their followers agree (all the same; half as
 * many distinct ones as matches, or fewer; more; all distinct).
 */
export function bucketOf(total: i32, distinct: i32): i32 {
  const many = total <= 4 ? total - 1 : total <= 8 ? 4 : total <= 16 ? 5 : total <= 64 ? 6 : 7;
  const agreement = distinct == 1 ? 0 : distinct == total ? 3 : 2 * distinct <= total ? 1 : 2;
  return many * 4 + agreement;
}

/** Stands for the followers of all matches. */
export const ANY: i32 = -1;

/** outSums (MATCH_LENGTH) f32 ← Σ weights of the matches of length at least l + 1, of all or of those that `token` followed. */
export function sumWeights(matches: Matches, token: i32, outSums: usize): void {
  memory.fill(outSums, 0, MATCH_LENGTH << 2);
  const end = endOfMatches(matches);
  for (let at = firstMatch(matches); at < end; at += 4) {
    const match = load<u32>(at);
    if (token != ANY && <i32>followerOf(match) != token) continue;
    const sum = outSums + ((lengthOf(match) - 1) << 2);
    store<f32>(sum, load<f32>(sum) + weightOf(match));
  }
  for (let sum = outSums + (<usize>(MATCH_LENGTH - 1) << 2); sum > outSums; sum -= 4) {
    store<f32>(sum - 4, load<f32>(sum - 4) + load<f32>(sum));
  }
}
