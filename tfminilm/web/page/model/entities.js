// Names in a text, as tfminilm/tasks/tagging.py and entities.py have them.

import { softmax } from "./numbers.js";
import { wordsAndMarks } from "./words.js";

const OUTPUT = "token_logits";
const OUTSIDE = "O";

/**
 * Finds the names in a text.
 *
 * @returns {Promise<{start, end, label, score}[]>} in their order; null where
 *     `isOld` said that nobody waits for them any more.
 */
export async function entitiesOf(
  text, { manifest, tokenizer, engine }, isOld = () => false,
) {
  const { cls, sep } = manifest.tokenizer.special_ids;
  const words = wordsAndMarks(text);
  const tokens = tokenizer.encode(text);
  const wordOf = firstPieces(words, tokens);
  const tags = new Map();
  for (const window of windows(tokens.size, engine.maxLength - 2)) {
    if (isOld()) return null;
    const ids = [cls, ...tokens.ids.slice(window.begin, window.end), sep];
    const segments = ids.map(() => 0);
    const { [OUTPUT]: logits } = await engine.run({ ids, segments }, [OUTPUT]);
    for (const at of window.owned) {
      if (wordOf[at] === -1) continue;
      const row = (at - window.begin + 1) * manifest.labels.length;
      tags.set(wordOf[at], best(logits, row, manifest.labels));
    }
  }
  return joined(words, tags);
}

/** Returns the likeliest tag of a word, and its probability. */
function best(logits, from, labels) {
  const shares = softmax([...logits.slice(from, from + labels.length)]);
  const share = Math.max(...shares);
  return { tag: labels[shares.indexOf(share)], share };
}

/** Returns the word that each token is the first piece of, or -1. */
function firstPieces(words, { size, starts, ends }) {
  const wordOf = Array(size).fill(-1);
  let at = 0;
  words.forEach(([start, end], word) => {
    while (at < size && ends[at] <= start) at++;
    // Of words that share a token, it is the first one's.
    if (at < size && starts[at] < end && wordOf[at] === -1) wordOf[at] = word;
  });
  return wordOf;
}

/** Cuts tokens into windows; each token is owned by the one nearest to it. */
function windows(size, room) {
  const last = Math.max(size - room, 0);
  const step = Math.max(Math.floor(room / 2), 1);
  const begins = [];
  for (let at = 0; at < last; at += step) begins.push(at);
  begins.push(last);
  const half = (Math.min(size, room) - 1) / 2;
  const all = begins.map((begin) => ({
    begin, end: Math.min(begin + room, size), owned: [],
  }));
  for (let at = 0; at < size; at++) {
    const gaps = begins.map((begin) => Math.abs(at - begin - half));
    all[gaps.indexOf(Math.min(...gaps))].owned.push(at);
  }
  return all;
}

/** Returns the entities that the tags of words make. */
function joined(words, tags) {
  const order = [...tags.keys()].sort((one, other) => one - other);
  const entities = [];
  let before = OUTSIDE;
  order.forEach((word, place) => {
    const { tag, share } = tags.get(word);
    if (tag !== OUTSIDE) {
      const goesOn =
        "IEL".includes(tag[0]) && "BI".includes(before[0]) &&
        before.slice(2) === tag.slice(2);
      const behind = order[place + 1] ?? words.length;
      const entity = goesOn
        ? entities.pop()
        : { start: words[word][0], label: tag.slice(2), shares: [] };
      entity.end = words[behind - 1][1];
      entity.shares.push(share);
      entities.push(entity);
    }
    before = tag;
  });
  return entities.map(({ shares, ...entity }) => ({
    ...entity,
    score: shares.reduce((sum, each) => sum + each, 0) / shares.length,
  }));
}
