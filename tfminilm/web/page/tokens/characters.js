// What WordPiece makes of each character, by the rules of training, whatever
// version of Unicode the browser knows. apps/android/verify/characters.py
// writes the files and describes them.

export const WORD = 0;
export const SPACE = 1;
export const ALONE = 2;
export const DROPPED = 3;
export const KIND = 3;
export const JOINS = 4;

const CHARACTERS = 0x110000;
const HANGUL = { first: 0xac00, last: 0xd7a3 };
const SHIFT = 3;

/** The table of a tokenizer with these settings. */
export class Characters {
  #entries = new Uint32Array(CHARACTERS);
  // Of a character that becomes others: how many places they have, and they.
  #parts = [null];
  #classes = new Map();

  /**
   * @param {ArrayBuffer} file a table, unpacked.
   * @param {{rules: string, lowercase: boolean, strip_accents: boolean}}
   *     settings of the manifest.
   */
  constructor(file, settings) {
    const input = new Reader(file);
    for (const mark of [SPACE, ALONE, DROPPED, JOINS]) {
      input.ranges((first, last) => {
        for (let at = first; at <= last; at++) this.#entries[at] |= mark;
      });
    }
    const stripped = input.map();
    const folded = input.map();
    const classes = input.map();
    if (settings.strip_accents) this.#classes = classes;
    this.#change(settings, stripped, folded);
  }

  /** Returns the bits of KIND and JOINS, and what `parts` takes. */
  entry(character) {
    return this.#entries[character];
  }

  /** Returns what a character becomes; null if it stays as it is. */
  parts(entry) {
    return this.#parts[entry >>> SHIFT];
  }

  /** Returns Unicode's combining class of a character that JOINS. */
  combiningClass(character) {
    return this.#classes.get(character)?.[0] ?? 0;
  }

  #change(settings, stripped, folded) {
    const kinds = this.#entries.slice();
    const changed = new Set(settings.lowercase ? folded.keys() : []);
    if (settings.strip_accents) {
      for (const character of stripped.keys()) changed.add(character);
      for (let at = HANGUL.first; at <= HANGUL.last; at++) changed.add(at);
    }
    for (const character of changed) {
      const own = kinds[character];
      let parts = [character];
      if (settings.strip_accents) {
        parts = decomposed(character) ?? stripped.get(character) ?? parts;
      }
      this.#entries[character] =
        parts.length === 0
          ? DROPPED | (own & JOINS)
          : this.#entryOf(parts, folded, kinds, settings);
    }
  }

  /** The parts are of one kind: the file's writer makes sure of it. */
  #entryOf(parts, folded, kinds, settings) {
    const isBert = settings.rules === "bert";
    let result = parts;
    if (settings.lowercase) {
      const whole = isBert || parts.length === 1 ? parts : composed(parts);
      result = whole.flatMap((part) => folded.get(part) ?? [part]);
    }
    const joins = result.some((part) => kinds[part] & JOINS) ? JOINS : 0;
    // By BERT's rules each has a place of its own.
    const places = isBert ? result.length : parts.length;
    this.#parts.push({ places, characters: result });
    const place = this.#parts.length - 1;
    return (kinds[parts[0]] & KIND) | joins | (place << SHIFT);
  }
}

/** Returns code points in normal form KC. */
export function composed(characters) {
  const text = characters.map((each) => String.fromCodePoint(each)).join("");
  return Array.from(text.normalize("NFKC"), (each) => each.codePointAt(0));
}

function decomposed(character) {
  if (character < HANGUL.first || character > HANGUL.last) return null;
  const index = character - HANGUL.first;
  const last = index % 28;
  const head = [
    0x1100 + Math.floor(index / 588),
    0x1161 + Math.floor((index % 588) / 28),
  ];
  return last ? [...head, 0x11a7 + last] : head;
}

class Reader {
  #at = 0;

  constructor(file) {
    this.view = new DataView(file);
  }

  number() {
    const value = this.view.getInt32(this.#at);
    this.#at += 4;
    return value;
  }

  ranges(use) {
    for (let left = this.number(); left > 0; left--) {
      use(this.number(), this.number());
    }
  }

  map() {
    const entries = new Map();
    for (let left = this.number(); left > 0; left--) {
      const character = this.number();
      const size = this.number();
      entries.set(character, Array.from({ length: size }, () => this.number()));
    }
    return entries;
  }
}
