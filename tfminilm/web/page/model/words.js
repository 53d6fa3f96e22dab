// Where words begin and end in a text: the same as tfminilm/tasks/words.py.

// Scripts that write words without blanks have none.
const SCRIPTS = "Han Hiragana Katakana Hangul Thai Lao Khmer Myanmar"
  .split(" ")
  .map((name) => `\\p{Script=${name}}`)
  .join("");
const OF_WORD = `(?:(?![${SCRIPTS}])[\\p{L}\\p{M}\\p{N}])`;
const WORD_OR_MARK = `${OF_WORD}+|\\P{White_Space}`;
// What Python's `strip` takes.
const BLANK = "\\p{White_Space}\\x1c-\\x1f";
const AROUND = new RegExp(`^[${BLANK}]*|[${BLANK}]*$`, "gu");

/** Returns [start, end] of each word, and of every other visible character. */
export function wordsAndMarks(text) {
  const parts = text.matchAll(new RegExp(WORD_OR_MARK, "gu"));
  return Array.from(parts, ({ 0: part, index }) => [
    index, index + part.length,
  ]);
}

/** Returns a function that trims blanks off a part and takes whole words. */
export function wholeWords(text) {
  const words = Array.from(
    text.matchAll(new RegExp(`${OF_WORD}+`, "gu")),
    ({ 0: word, index }) => [index, index + word.length],
  );
  return (from, to) => {
    const part = text.slice(from, to);
    const [blanks] = part.match(AROUND);
    const size = part.replace(AROUND, "").length;
    if (!size) return [from, from];
    let start = from + blanks.length;
    let end = start + size;
    const around = (place) =>
      words.find(([first, last]) => first < place && place < last);
    start = around(start)?.[0] ?? start;
    end = around(end)?.[1] ?? end;
    return [start, end];
  };
}

/** Tells whether there is nothing but blanks. */
export const isBlank = (text) => text.replace(AROUND, "") === "";
