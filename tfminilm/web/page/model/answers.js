// Answers to questions about a text, as tfminilm/tasks/windows.py has them.

import { separators } from "./encode.js";
import { softmax } from "./numbers.js";
import { wholeWords } from "./words.js";

const MAX_ANSWERS = 20;

/** Answers questions about texts, in windows that overlap where one is long. */
export class QuestionAnswerer {
  #context = { text: null, tokens: null };

  constructor({ manifest, tokenizer, engine }) {
    this.manifest = manifest;
    this.tokenizer = tokenizer;
    this.engine = engine;
  }

  /**
   * @param {() => boolean} isOld is asked in front of every window.
   * @returns the likeliest answer: `{start, end, score, windows}`, with
   *     `start` null where the text has none; null where it is out of date.
   */
  async answer(question, text, isOld = () => false) {
    if (this.#context.text !== text) {
      this.#context = { text, tokens: this.tokenizer.encode(text) };
    }
    const settings = this.manifest.question_answering;
    const { tokens } = this.#context;
    const asked = this.tokenizer.encode(question, settings.max_question_tokens);
    const best = new BestAnswers(settings.max_answer_tokens);
    const places = this.#windows(asked.size, tokens.size);
    for (const place of places) {
      if (isOld()) return null;
      await this.#run(asked.ids, tokens, place, best);
    }
    const answer = best.answer(text, settings.null_threshold);
    return { ...answer, windows: places.length };
  }

  /** Returns the first and the last place of each window's tokens. */
  #windows(question, size) {
    const settings = this.manifest.tokenizer;
    const special = 2 + separators(settings).length;
    const room = this.engine.maxLength - question - special;
    const { document_stride } = this.manifest.question_answering;
    const stride = Math.min(document_stride, room);
    const last = Math.max(0, size - room);
    const windows = [];
    for (let at = 0; at === 0 || at < last + stride; at += stride) {
      windows.push([at, Math.min(at + room, size)]);
    }
    return windows;
  }

  async #run(question, tokens, [from, to], best) {
    const { tokenizer: settings } = this.manifest;
    const { cls, sep } = settings.special_ids;
    const head = [cls, ...question, ...separators(settings)];
    const tail = [...tokens.ids.slice(from, to), sep];
    const { start_logits: starts, end_logits: ends } = await this.engine.run(
      {
        ids: [...head, ...tail],
        segments: [...head.map(() => 0), ...tail.map(() => 1)],
      },
      ["start_logits", "end_logits"],
    );
    best.add(starts, ends, head.length, to - from, tokens, from);
  }
}

/** The best answers over all windows of a text. */
class BestAnswers {
  #scores = new Map();
  #null = Infinity;

  constructor(maxTokens) {
    this.maxTokens = maxTokens;
  }

  /** Takes a window's logits; from `first` on it has `count` of `tokens`. */
  add(starts, ends, first, count, tokens, from) {
    this.#null = Math.min(this.#null, Math.fround(starts[0] + ends[0]));
    const shift = from - first;
    const bestEnds = greatest(ends, first, count);
    const spans = greatest(starts, first, count).flatMap((start) =>
      bestEnds
        .filter((end) => end >= start && end - start < this.maxTokens)
        .map((end) => ({
          start, end, score: Math.fround(starts[start] + ends[end]),
        })),
    );
    spans.sort((one, other) => other.score - one.score);
    for (const { start, end, score } of spans.slice(0, MAX_ANSWERS)) {
      // Two places in one number: a text has fewer than 2 ** 26.
      const place =
        tokens.starts[start + shift] * 2 ** 26 + tokens.ends[end + shift];
      const before = this.#scores.get(place) ?? -Infinity;
      if (score > before) this.#scores.set(place, score);
    }
  }

  /** Returns the likeliest, in whole words, and its probability. */
  answer(text, threshold) {
    const whole = wholeWords(text);
    const answers = new Map();
    for (const [place, score] of this.#sorted()) {
      const [start, end] = whole(Math.floor(place / 2 ** 26), place % 2 ** 26);
      const key = `${start} ${end}`;
      if (start < end && !answers.has(key)) {
        answers.set(key, { start, end, score });
      }
    }
    const guesses = [...answers.values()];
    const scores = guesses.map(({ score }) => score);
    if (threshold !== null || !scores.length) scores.push(this.#null);
    const shares = softmax(scores);
    const [best] = guesses;
    const isNone =
      !best || (threshold !== null && this.#null - best.score > threshold);
    if (isNone) return { start: null, end: null, score: shares.at(-1) };
    return { start: best.start, end: best.end, score: shares[0] };
  }

  #sorted() {
    const order = ([place, score], [otherPlace, other]) =>
      other - score || place - otherPlace;
    return [...this.#scores].sort(order).slice(0, MAX_ANSWERS);
  }
}

/** Returns the places of the greatest, the earlier one first where equal. */
function greatest(values, first, count) {
  return Array.from({ length: count }, (_, at) => first + at)
    .sort((one, other) => values[other] - values[one])
    .slice(0, MAX_ANSWERS);
}
