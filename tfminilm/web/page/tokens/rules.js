import { damaged } from "./protobuf.js";
import { characterAt, utf8, utf8Byte, utf8Size, width } from "./text.js";

const INSIDE = -1;
// Of a unit of darts-clone's; values have the sign bit.
const LABEL = 0x800000ff | 0;
const HAS_VALUE = 1 << 8;
const SHIFTS = 1 << 9;

/**
 * What a SentencePiece model replaces before it cuts a text: its
 * `precompiled_charsmap`.
 *
 * That is the size of a trie in bytes, the trie, and the replacements in UTF-8,
 * each with a 0 behind it. The trie is a double array of darts-clone over the
 * bytes of what is replaced; its values are places among the replacements.
 */
export class CharacterRules {
  #units;
  // Of the replacements: a character where its bytes start, 0 at an end.
  #characters;

  /** @param {Uint8Array} map the field's content. */
  constructor(map) {
    const view = new DataView(map.buffer, map.byteOffset, map.length);
    const bytes = map.length < 4 ? 0 : view.getInt32(0, true);
    if (bytes <= 0 || bytes % 4 || bytes > map.length - 4) {
      throw damaged("its character map is none");
    }
    this.#units = Int32Array.from({ length: bytes / 4 }, (_, at) =>
      view.getInt32(4 + 4 * at, true),
    );
    const replacements = map.subarray(4 + bytes);
    this.#characters = new Int32Array(replacements.length + 1).fill(INSIDE);
    this.#characters[replacements.length] = 0;
    let place = 0;
    for (const letter of utf8(replacements)) {
      const character = letter.codePointAt(0);
      this.#characters[place] = character;
      place += utf8Size(character);
    }
  }

  /**
   * Finds the longest part of a text that starts at a place and is replaced.
   *
   * @returns {{end: number, place: number} | null} where it ends, and the
   *     place of its replacement.
   */
  longest(text, at, end) {
    let longest = null;
    let node = 0;
    for (let to = at; to < end; ) {
      const character = characterAt(text, to, end);
      to += width(character);
      const size = utf8Size(character);
      for (let index = 0; index < size; index++) {
        node = this.#next(node, utf8Byte(character, index, size));
        if (node < 0) return longest;
      }
      if (this.#units[node] & HAS_VALUE) {
        longest = { end: to, place: this.#value(node) };
      }
    }
    return longest;
  }

  /** Returns the code points of the replacement at a place. */
  replacement(place) {
    const characters = [];
    for (let at = place; this.#characters[at] !== 0; ) {
      const character = this.#characters[at];
      if (character === undefined || character === INSIDE) {
        throw damaged("its character map is none");
      }
      characters.push(character);
      at += utf8Size(character);
    }
    return characters;
  }

  /** The node behind another by a byte, or -1. */
  #next(node, byte) {
    const place = this.#base(node) ^ byte;
    // A 0 is the label of what is no node.
    const isNode = byte !== 0 && place < this.#units.length;
    return isNode && (this.#units[place] & LABEL) === byte ? place : -1;
  }

  #value(node) {
    return this.#units[this.#base(node)] & 0x7fffffff;
  }

  /** Where a node's children are, by their bytes. */
  #base(node) {
    const unit = this.#units[node];
    return node ^ ((unit >>> 10) << ((unit & SHIFTS) >>> 6));
  }
}
