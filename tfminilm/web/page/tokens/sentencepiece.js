import { normalized } from "./piece_text.js";
import { PieceModel } from "./pieces.js";
import { utf8Byte, utf8Size } from "./text.js";
import { Tokens } from "./tokens.js";
import { NONE, ROOT } from "./trie.js";

/**
 * SentencePiece's unigram model as the training's tokenizer runs it.
 *
 * A text is normalised, its spaces become letters, and of all ways to cut it
 * into pieces the likeliest is taken.
 */
export class SentencePiece {
  #model;

  /**
   * @param {ArrayBuffer} file the model.
   * @param {object} settings the manifest's `tokenizer`.
   */
  constructor(file, settings) {
    this.#model = new PieceModel(file);
    if (this.#model.unknown !== 0) {
      throw new Error(
        "The SentencePiece model is not laid out as XLM-R's: its first piece " +
          "is not the unknown one; export another one",
      );
    }
    this.unknown = settings.special_ids.unk;
    this.offset = settings.id_offset;
  }

  /** Returns the Tokens of a text, without special ones; at most `limit`. */
  encode(text, limit = Infinity) {
    const into = new Tokens();
    const cut = new Cut(this.#model, normalized(text, this.#model));
    for (const [piece, first, end] of cut.pieces()) {
      if (into.size >= limit) break;
      this.#add(into, cut, piece, first, end);
    }
    into.truncate(limit);
    return into;
  }

  #add(into, cut, piece, first, end) {
    const { characters, places } = cut.text;
    const isUnknown = piece === this.#model.unknown;
    if (isUnknown && this.#model.bytes.length) {
      this.#addBytes(into, characters[first], places[first], places[end]);
    } else if (isUnknown && cut.isBehindUnknown) {
      into.extend(places[end]);
    } else {
      into.add(this.#idOf(piece), places[first], places[end]);
    }
    cut.isBehindUnknown = isUnknown;
  }

  /** A character's bytes in UTF-8; the last one stands for all of it. */
  #addBytes(into, character, start, end) {
    const size = utf8Size(character);
    for (let index = 0; index < size; index++) {
      const piece = this.#model.bytes[utf8Byte(character, index, size)];
      into.add(this.#idOf(piece), start, index === size - 1 ? end : start);
    }
  }

  #idOf(piece) {
    return piece === 0 ? this.unknown : piece + this.offset;
  }
}

/** The best way to cut a text (Viterbi), part after part. */
class Cut {
  isBehindUnknown = false;

  constructor(model, text) {
    this.model = model;
    this.text = text;
    const size = text.characters.length;
    // The best way to each place: its score, its last piece, its start.
    this.bests = new Float32Array(size + 1);
    this.last = new Int32Array(size + 1);
    this.starts = new Int32Array(size + 1).fill(NONE);
    this.reached = 0;
  }

  /** Yields [piece, first, end] of the text's characters, in their order. */
  *pieces() {
    const size = this.text.characters.length;
    let from = 0;
    for (let at = 0; at < size; at++) {
      // No piece goes over this place: nothing behind it changes the cut.
      if (at === this.reached) {
        yield* this.#between(from, at);
        from = at;
      }
      this.#extend(at);
    }
    yield* this.#between(from, size);
  }

  *#between(from, to) {
    const way = [];
    for (let at = to; at > from; at = this.starts[at]) way.push(at);
    for (const end of way.reverse()) {
      yield [this.last[end], this.starts[end], end];
    }
  }

  /** Tries all pieces that start at a place. */
  #extend(at) {
    const { characters } = this.text;
    const { tree, scores, unknown, unknownScore } = this.model;
    const before = this.bests[at];
    let hasPiece = false;
    let node = ROOT;
    for (let to = at; to < characters.length; ) {
      node = tree.next(node, characters[to++]);
      if (node === NONE) break;
      const piece = tree.value(node);
      if (piece === NONE) continue;
      this.#offer(to, scores[piece] + before, piece, at);
      if (to === at + 1) hasPiece = true;
    }
    if (!hasPiece) {
      const score = Math.fround(unknownScore + before);
      this.#offer(at + 1, score, unknown, at);
    }
  }

  /** Compared in double and kept in single precision, as SentencePiece does. */
  #offer(to, score, piece, start) {
    this.reached = Math.max(this.reached, to);
    if (this.starts[to] === NONE || score > this.bests[to]) {
      this.bests[to] = score;
      this.last[to] = piece;
      this.starts[to] = start;
    }
  }
}
