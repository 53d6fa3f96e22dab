/** Returns the probabilities of logits. */
export function softmax(logits) {
  const most = Math.max(...logits);
  const powers = logits.map((each) => Math.exp(each - most));
  const sum = powers.reduce((all, each) => all + each, 0);
  return powers.map((each) => each / sum);
}

/** Returns a vector of length 1 in the same direction. */
export function unit(vector) {
  const norm = Math.sqrt(vector.reduce((sum, x) => sum + x * x, 0));
  return vector.map((x) => (norm > 0 ? x / norm : x));
}

/** Returns the cosine of two vectors of length 1. */
export function cosine(one, other) {
  return one.reduce((sum, x, at) => sum + x * other[at], 0);
}
