import { characterAt, width } from "./text.js";
import { NONE, ROOT } from "./trie.js";

const BLANK = 0x20;
// What a space becomes, so that pieces can have it.
const VISIBLE_SPACE = 0x2581;

/**
 * Returns a text as a SentencePiece model sees it.
 *
 * @returns {{characters: number[], places: number[]}} code points, and where
 *     each was in the text; `places` has one more, the end of the last.
 */
export function normalized(text, model) {
  const space = model.escapesSpaces ? VISIBLE_SPACE : BLANK;
  const characters = [];
  const places = [];
  const append = (character, place) => {
    characters.push(character);
    places.push(place);
  };
  const end = text.length;
  let at = model.joinsSpaces ? behindSpaces(text, model) : 0;
  if (at < end && model.addsSpace && !model.spaceIsLast) append(space, at);
  const isEmpty = at >= end;
  let isBehindSpace = model.joinsSpaces;
  let chunk;
  for (; at < end; at = chunk.end) {
    chunk = chunkAt(text, at, model);
    let skips = isBehindSpace;
    for (const character of chunk.characters) {
      if (skips && character === BLANK) continue;
      skips = false;
      append(character === BLANK ? space : character, at);
      isBehindSpace = model.joinsSpaces && character === BLANK;
    }
  }
  let last = end;
  while (model.joinsSpaces && characters.at(-1) === space) {
    characters.pop();
    last = places.pop();
  }
  if (!isEmpty && model.addsSpace && model.spaceIsLast) append(space, last);
  places.push(last);
  return { characters, places };
}

function behindSpaces(text, model) {
  let at = 0;
  while (at < text.length) {
    const { end, characters } = chunkAt(text, at, model);
    if (characters.length !== 1 || characters[0] !== BLANK) break;
    at = end;
  }
  return at;
}

/** A symbol, else the longest text with a rule, else a character. */
function chunkAt(text, at, model) {
  const behind = endOfSymbol(text, at, model);
  if (behind > at) {
    const characters = Array.from(text.slice(at, behind), (each) =>
      each.codePointAt(0),
    );
    return { end: behind, characters };
  }
  const rule = model.rules?.longest(text, at, text.length);
  if (rule) {
    return { end: rule.end, characters: model.rules.replacement(rule.place) };
  }
  const character = characterAt(text, at, text.length);
  return { end: at + width(character), characters: [character] };
}

function endOfSymbol(text, at, model) {
  let behind = at;
  let node = ROOT;
  for (let to = at; to < text.length; ) {
    const character = characterAt(text, to, text.length);
    node = model.symbols.next(node, character);
    if (node === NONE) break;
    to += width(character);
    if (model.symbols.value(node) !== NONE) behind = to;
  }
  return behind;
}
