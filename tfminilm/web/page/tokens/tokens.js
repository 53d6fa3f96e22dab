/** Token ids, and where each token is in the text: [starts[i], ends[i]). */
export class Tokens {
  ids = [];
  starts = [];
  ends = [];

  get size() {
    return this.ids.length;
  }

  add(id, start, end) {
    this.ids.push(id);
    this.starts.push(start);
    this.ends.push(end);
  }

  /** Lets the last one end further behind. */
  extend(end) {
    this.ends[this.size - 1] = end;
  }

  /** Forgets all but the first ones. */
  truncate(count) {
    if (count >= this.size) return;
    this.ids.length = this.starts.length = this.ends.length = count;
  }
}
