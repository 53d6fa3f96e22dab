import { CharacterRules } from "./rules.js";
import { damaged, Protobuf } from "./protobuf.js";
import { NONE, PrefixTree } from "./trie.js";

const NORMAL = 1;
const UNKNOWN = 2;
const CONTROL = 3;
const USER_DEFINED = 4;
const UNUSED = 5;
const BYTE = 6;
const UNIGRAM = 1;
const MODEL_TYPES = { 2: "merges (BPE)", 3: "whole words", 4: "characters" };
const UNKNOWN_PENALTY = 10;
// C's FLT_MIN, which SentencePiece starts from: no score is below.
const MIN_NORMAL = 1.17549435e-38;

/** A SentencePiece unigram model, as `sentencepiece.model` has it. */
export class PieceModel {
  /** The pieces that a text can be cut into, with their numbers. */
  tree = new PrefixTree();
  /** Words that are not changed and not cut. */
  symbols = new PrefixTree();
  /** The logarithm of each piece's probability. */
  scores = [];
  /** The number of what has no piece. */
  unknown = NONE;
  /** The pieces that spell a byte; empty where such characters are unknown. */
  bytes = [];
  /** Null where a text is taken as it is. */
  rules = null;
  addsSpace = true;
  spaceIsLast = false;
  joinsSpaces = true;
  escapesSpaces = true;

  #least = 3.4028234663852886e38;
  #greatest = MIN_NORMAL;
  #lengths = new Map(); // Of the symbols, in UTF-8.
  #ofBytes = new Array(256).fill(NONE);
  #spellsBytes = false;

  /** @param {ArrayBuffer} file the model. */
  constructor(file) {
    const message = new Protobuf(new Uint8Array(file));
    while (message.next()) {
      if (message.field === 1) this.#readPiece(message.message());
      else if (message.field === 2) this.#readTrainer(message.message());
      else if (message.field === 3) this.#readNormalizer(message.message());
    }
    if (this.unknown === NONE) throw damaged("it has no unknown piece");
    if (this.#spellsBytes) this.bytes = this.#ofBytes;
    if (this.bytes.includes(NONE)) throw damaged("it lacks bytes");
    // The score of a character without a piece, in single precision.
    this.unknownScore = Math.fround(this.#least - UNKNOWN_PENALTY);
    // A bonus, by which a symbol wins against its parts.
    for (const [piece, length] of this.#lengths) {
      this.scores[piece] = Math.fround(length * this.#greatest) - 0.1;
    }
  }

  #readPiece(message) {
    let [text, score, type] = ["", 0, NORMAL];
    while (message.next()) {
      if (message.field === 1) text = message.text();
      else if (message.field === 2) score = message.float();
      else if (message.field === 3) type = message.number();
    }
    const id = this.scores.push(score) - 1;
    if (type === NORMAL) {
      this.#add(this.tree, text, id);
      this.#least = Math.min(this.#least, score);
      this.#greatest = Math.max(this.#greatest, score);
    } else if (type === USER_DEFINED) {
      this.#add(this.tree, text, id);
      this.#add(this.symbols, text, id);
      this.#lengths.set(id, new TextEncoder().encode(text).length);
    } else if (type === UNKNOWN) {
      this.unknown = id;
    } else if (type === BYTE) {
      this.#ofBytes[parseInt(text.slice(3, 5), 16)] = id; // Such as <0x0A>.
    } else if (type !== CONTROL && type !== UNUSED) {
      throw damaged(`piece ${id} is of type ${type}`);
    }
  }

  #add(words, text, id) {
    const node = words.insert(text);
    if (words.value(node) !== NONE) throw damaged(`it has "${text}" twice`);
    words.set(node, id);
  }

  #readTrainer(message) {
    while (message.next()) {
      if (message.field === 3) {
        const type = message.number();
        if (type !== UNIGRAM) {
          const name = MODEL_TYPES[type] ?? `type ${type}`;
          throw new Error(
            `The SentencePiece model is of ${name}; this page reads unigram ` +
              "models, as XLM-R's: export another one",
          );
        }
      } else if (message.field === 24) this.spaceIsLast = message.flag();
      else if (message.field === 35) this.#spellsBytes = message.flag();
    }
  }

  #readNormalizer(message) {
    while (message.next()) {
      if (message.field === 2) {
        const map = message.content();
        this.rules = map.length ? new CharacterRules(map) : null;
      } else if (message.field === 3) this.addsSpace = message.flag();
      else if (message.field === 4) this.joinsSpaces = message.flag();
      else if (message.field === 5) this.escapesSpaces = message.flag();
    }
  }
}
