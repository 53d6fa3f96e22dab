// Code points of a text, as UTF-8 would have them.

const REPLACEMENT = 0xfffd;

/** Returns the code point at a place; U+FFFD for an unpaired surrogate. */
export function characterAt(text, index, end) {
  const first = text.charCodeAt(index);
  if (first < 0xd800 || first > 0xdfff) return first;
  const character = text.codePointAt(index);
  return character > 0xffff && index + 1 < end ? character : REPLACEMENT;
}

/** Returns how many places in a text a code point takes. */
export const width = (character) => (character > 0xffff ? 2 : 1);

/** Returns how many bytes a code point has in UTF-8. */
export function utf8Size(character) {
  if (character < 0x80) return 1;
  if (character < 0x800) return 2;
  return character < 0x10000 ? 3 : 4;
}

/** Returns one of a code point's bytes in UTF-8. */
export function utf8Byte(character, index, size) {
  const bits = character >>> (6 * (size - 1 - index));
  if (size === 1) return bits;
  return index === 0 ? bits | ((0xf00 >>> size) & 0xff) : (bits & 0x3f) | 0x80;
}

/** Returns the text of UTF-8; it throws where the bytes are none. */
export function utf8(bytes) {
  return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(
    bytes,
  );
}
