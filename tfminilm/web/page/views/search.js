import { encodeOne } from "../model/encode.js";
import { cosine, unit } from "../model/numbers.js";
import { isBlank } from "../model/words.js";
import { bars, field, soft } from "./parts.js";

const OUTPUT = "sentence_embedding";
const MOST_HITS = 20;

/** Texts in the order of how near they are to a query in meaning. */
export class SearchView {
  #vectors = new Map();

  constructor(model, page) {
    this.model = model;
    const notes = page.examples.map(([text]) => text).join("\n");
    this.query = field("Search for", page.query);
    this.texts = field("Texts, one a line", notes, { rows: 7 });
    this.inputs = [this.query.whole, this.texts.whole];
  }

  /** Returns the texts with their cosines; null if a field is blank. */
  async answer(isOld) {
    const query = this.query.input.value;
    const texts = this.texts.input.value.split("\n");
    const lines = [...new Set(texts)].filter((line) => !isBlank(line));
    if (isBlank(query) || !lines.length) return null;
    const own = await this.#vector(query);
    const hits = [];
    const kept = new Map();
    for (const text of lines) {
      if (isOld()) return null;
      const vector = this.#vectors.get(text) ?? (await this.#vector(text));
      kept.set(text, vector);
      this.#vectors.set(text, vector);
      hits.push({ text, score: cosine(own, vector) });
    }
    this.#vectors = kept;
    return hits.sort((one, other) => other.score - one.score);
  }

  /** Draws an answer, and returns it in words. */
  draw(place, hits) {
    if (hits === null) {
      place.replaceChildren(soft("Say what to look for, and in which texts."));
      return "";
    }
    const rows = hits.slice(0, MOST_HITS).map(({ text, score }, at) => ({
      name: text, share: score, value: score.toFixed(2), isOn: at === 0,
    }));
    place.replaceChildren(bars(rows));
    place.append(
      soft("The cosine of the embeddings: 1 for the same meaning, about 0 for " +
        "none in common."),
    );
    return `Nearest: ${hits[0].text}`;
  }

  async #vector(text) {
    const { manifest, tokenizer, engine } = this.model;
    const prompt = manifest.sentence_embedding?.prompt ?? "";
    const sequence = encodeOne(
      prompt + text, tokenizer, manifest.tokenizer, engine.maxLength,
    );
    const { [OUTPUT]: vector } = await engine.run(sequence, [OUTPUT]);
    return unit(vector);
  }
}
