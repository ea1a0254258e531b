// Weights averaged over the last steps of a phase (ours; of stochastic approximation: Polyak & Juditsky 1992): where tokens are few, every
// step moves the weights by the noise of its batch. Sums of samples are in f64, in the order of the steps.

/** outSums (n) f64 += values (n) f32, the sample with number `sample`; the first takes the place of what was there, and 0 is none. */
export function addSample(values: usize, n: usize, sample: i32, outSums: usize): void {
  if (sample == 0) return;
  const first = sample == 1;
  for (const end = values + (n << 2); values < end; values += 4, outSums += 8) {
    const value = <f64>load<f32>(values);
    store<f64>(outSums, first ? value : load<f64>(outSums) + value);
  }
}

/** outValues (n) f32 ← sums (n) f64 / samples. */
export function takeMean(sums: usize, n: usize, samples: i32, outValues: usize): void {
  for (const end = outValues + (n << 2); outValues < end; outValues += 4, sums += 8) {
    store<f32>(outValues, <f32>(load<f64>(sums) / <f64>samples));
  }
}
