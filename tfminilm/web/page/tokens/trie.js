// Words with a number each, as a tree of code points.

export const NONE = -1;
export const ROOT = 0;

export class PrefixTree {
  // Open addressing: (node, code point) -> node, in one array each.
  #nodes = new Int32Array(1 << 10).fill(NONE);
  #characters = new Int32Array(1 << 10);
  #targets = new Int32Array(1 << 10);
  #values = new Int32Array(1 << 10).fill(NONE);
  #count = 1;

  /** Returns the node behind another by a code point, or NONE. */
  next(node, character) {
    const mask = this.#nodes.length - 1;
    for (let slot = hash(node, character) & mask; ; slot = (slot + 1) & mask) {
      if (this.#nodes[slot] === NONE) return NONE;
      if (this.#nodes[slot] === node && this.#characters[slot] === character) {
        return this.#targets[slot];
      }
    }
  }

  /** Returns the number of the word that ends at a node, or NONE. */
  value(node) {
    return this.#values[node];
  }

  /** Gives the word that ends at a node a number of 0 or more. */
  set(node, value) {
    this.#values[node] = value;
  }

  /** Returns the node of a word, and makes it where there is none. */
  insert(word) {
    let node = ROOT;
    for (const letter of word) {
      const character = letter.codePointAt(0);
      const next = this.next(node, character);
      node = next === NONE ? this.#add(node, character) : next;
    }
    return node;
  }

  #add(node, character) {
    if (this.#count * 2 > this.#nodes.length) this.#grow();
    this.#put(node, character, this.#count);
    return this.#count++;
  }

  #put(node, character, target) {
    const mask = this.#nodes.length - 1;
    let slot = hash(node, character) & mask;
    while (this.#nodes[slot] !== NONE) slot = (slot + 1) & mask;
    this.#nodes[slot] = node;
    this.#characters[slot] = character;
    this.#targets[slot] = target;
  }

  #grow() {
    const [nodes, characters, targets] = [
      this.#nodes, this.#characters, this.#targets,
    ];
    const size = nodes.length * 2;
    this.#nodes = new Int32Array(size).fill(NONE);
    this.#characters = new Int32Array(size);
    this.#targets = new Int32Array(size);
    const values = new Int32Array(size).fill(NONE);
    values.set(this.#values);
    this.#values = values;
    nodes.forEach((node, slot) => {
      if (node !== NONE) this.#put(node, characters[slot], targets[slot]);
    });
  }
}

function hash(node, character) {
  const mixed = Math.imul(node, 0x9e3779b1) ^ Math.imul(character, 0x85ebca6b);
  return (mixed ^ (mixed >>> 15)) >>> 0;
}
