import {
  ALONE, Characters, composed, DROPPED, JOINS, KIND, SPACE, WORD,
} from "./characters.js";
import { characterAt, utf8, utf8Size, width } from "./text.js";
import { Tokens } from "./tokens.js";
import { NONE, PrefixTree, ROOT } from "./trie.js";

// Of a word in UTF-8, by KerasHub's rules; a longer one is unknown.
const MAX_BYTES = 100;
// By BERT's rules characters count.
const MAX_BERT = 100;
// What is kept of a word: composing makes one character of at most four.
const MAX_CHARACTERS = 4 * MAX_BYTES + 1;

/**
 * WordPiece as the training's tokenizer runs it.
 *
 * A punctuation mark or a Chinese character is a word of its own, accents go,
 * case is folded, and each word is cut into the longest known pieces from the
 * left. "[SEP]" in a text is text.
 */
export class WordPiece {
  #pieces = new PrefixTree();

  /**
   * @param {ArrayBuffer} vocabulary a word a line, in the order of their ids.
   * @param {object} settings the manifest's `tokenizer`.
   * @param {ArrayBuffer} characters the table of its rules.
   */
  constructor(vocabulary, settings, characters) {
    // Where a piece inside a word starts.
    this.inside = this.#pieces.insert(settings.suffix_indicator);
    const words = utf8(vocabulary).replace(/\n$/, "").split("\n");
    words.forEach((word, id) => this.#pieces.set(this.#pieces.insert(word), id));
    this.table = new Characters(characters, settings);
    this.isBert = settings.rules === "bert";
    this.composes = settings.lowercase && !this.isBert;
    this.sorts = settings.strip_accents && this.isBert;
    this.unknown = settings.special_ids.unk;
  }

  /** Returns the Tokens of a text, without special ones; at most `limit`. */
  encode(text, limit = Infinity) {
    const into = new Tokens();
    let word = new Word();
    const finish = () => {
      if (word.starts.length) this.#finish(word, into);
      word = new Word();
    };
    let next;
    for (let at = 0; at < text.length && into.size < limit; at = next) {
      const character = characterAt(text, at, text.length);
      next = at + width(character);
      const entry = this.table.entry(character);
      const kind = entry & KIND;
      if (kind === WORD) {
        this.#append(word, character, entry, at, next);
      } else if (kind === SPACE) {
        finish();
      } else if (kind === ALONE) {
        finish();
        this.#append(word, character, entry, at, next);
        finish();
      } else if (kind === DROPPED && entry & JOINS) {
        word.barrier = word.characters.length;
      }
    }
    finish();
    into.truncate(limit);
    return into;
  }

  #append(word, character, entry, start, end) {
    const joins = (entry & JOINS) !== 0;
    word.joins ||= joins;
    const parts = this.table.parts(entry);
    for (let left = parts?.places ?? 1; left > 0; left--) {
      word.addPlace(start, end);
    }
    for (const each of parts?.characters ?? [character]) {
      if (word.characters.length < MAX_CHARACTERS) word.characters.push(each);
      if (this.sorts && joins) this.#sortLast(word);
    }
  }

  /** Unicode's canonical order: marks by their classes, behind a letter. */
  #sortLast({ characters, barrier }) {
    let at = characters.length - 1;
    const last = characters[at];
    const own = this.table.combiningClass(last);
    if (own === 0) return;
    while (
      at > barrier && this.table.combiningClass(characters[at - 1]) > own
    ) {
      characters[at] = characters[at - 1];
      at--;
    }
    characters[at] = last;
  }

  #finish(word, into) {
    // Rare: letters that stand in parts, such as Korean as its strokes.
    if (word.joins && this.composes && word.characters.length > 1) {
      word.characters = composed(word.characters);
    }
    if (word.characters.length) this.#addPieces(word, into);
  }

  #addPieces(word, into) {
    const { characters, starts, ends } = word;
    const before = into.size;
    const isWhole = characters.length !== starts.length;
    const lastPlace = ends[ends.length - 1];
    for (let from = 0, to; from < characters.length; from = to) {
      let node = from === 0 ? ROOT : this.inside;
      let id = NONE;
      to = from;
      for (let at = from; at < characters.length; at++) {
        node = this.#pieces.next(node, characters[at]);
        if (node === NONE) break;
        if (this.#pieces.value(node) !== NONE) {
          id = this.#pieces.value(node);
          to = at + 1;
        }
      }
      if (id === NONE || (from === 0 && this.#isLong(characters))) {
        into.truncate(before);
        into.add(this.unknown, starts[0], lastPlace);
        return;
      }
      // Where folding changed the length, a piece stands for the whole word.
      if (isWhole) into.add(id, starts[0], lastPlace);
      else into.add(id, starts[from], ends[to - 1]);
    }
  }

  #isLong(characters) {
    if (this.isBert) return characters.length > MAX_BERT;
    const bytes = characters.reduce((sum, each) => sum + utf8Size(each), 0);
    return bytes > MAX_BYTES;
  }
}

/** A word at hand: what it becomes, and where its parts were. */
class Word {
  characters = [];
  starts = [];
  ends = [];
  joins = false;
  // What stands in front of it stays there when marks are sorted.
  barrier = 0;

  addPlace(start, end) {
    if (this.starts.length < MAX_CHARACTERS) {
      this.starts.push(start);
      this.ends.push(end);
    } else {
      this.ends[this.ends.length - 1] = end;
    }
  }
}
