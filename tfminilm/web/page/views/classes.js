import { encodeOne, encodeTwo } from "../model/encode.js";
import { softmax } from "../model/numbers.js";
import { isBlank } from "../model/words.js";
import { bars, examples, field, make, percent, soft } from "./parts.js";

const MOST_BARS = 8;

/** Bars for the classes, the labels or the score of a text, or of two. */
export class ClassesView {
  #isWhole = false;

  constructor(model, page) {
    this.model = model;
    this.manifest = model.manifest;
    const names =
      this.manifest.num_texts === 2 ? ["First text", "Second text"] : ["Text"];
    this.fields = names.map((name, at) =>
      field(name, page.examples[0]?.[at] ?? "", { rows: 3 }),
    );
    this.inputs = [
      ...this.fields.map(({ whole }) => whole),
      ...examples(page.examples, this.fields),
    ];
  }

  /** Returns what the model says of the fields; null if one is blank. */
  async answer() {
    const texts = this.fields.map(({ input }) => input.value);
    if (texts.some(isBlank)) return null;
    const { tokenizer, engine } = this.model;
    const encode = texts.length === 2 ? encodeTwo : encodeOne;
    const sequence = encode(
      ...texts, tokenizer, this.manifest.tokenizer, engine.maxLength,
    );
    const { logits } = await engine.run(sequence, ["logits"]);
    return { values: this.#values([...logits]), isCut: sequence.isCut };
  }

  /** Draws an answer, and returns it in words. */
  draw(place, answer) {
    if (answer === null) {
      place.replaceChildren(soft("Type a text to see what the model says."));
      return "";
    }
    const { task } = this.manifest;
    const drawn =
      task === "regression"
        ? this.#score(answer.values[0])
        : this.#classes(answer.values);
    place.replaceChildren(...drawn.elements);
    const least = this.manifest.calibration?.unsure_below ?? 0;
    if (Math.max(...answer.values) < least) {
      const line = `The model is unsure: no class reaches ${percent(least)}.`;
      place.append(soft(line));
    }
    if (answer.isCut) {
      const most = this.model.engine.maxLength;
      const line = `Longer than ${most} tokens: the end was not read.`;
      place.append(soft(line));
    }
    return drawn.said;
  }

  /** A classification's logits become probabilities; others are final. */
  #values(logits) {
    return this.manifest.task === "classification" ? softmax(logits) : logits;
  }

  #score(score) {
    const isShare = this.manifest.score_activation === "sigmoid";
    const value = isShare ? percent(score) : score.toFixed(3);
    const row = { name: "Score", share: score, value, isOn: true };
    const elements = isShare
      ? [bars([row])]
      : [make("p", { className: "score", textContent: value })];
    return { elements, said: `Score ${value}` };
  }

  #classes(values) {
    const { labels, multi_label_classification: several } = this.manifest;
    const most = Math.max(...values);
    const rows = labels.map((name, at) => {
      const limit = several?.thresholds[at];
      const isOn = several ? values[at] >= limit : values[at] === most;
      const share = values[at];
      return { name, share, value: percent(share), isOn, limit };
    });
    const on = rows.filter(({ isOn }) => isOn);
    const said = on.map(({ name, value }) => `${name}, ${value}`).join("; ");
    if (rows.length <= MOST_BARS) {
      return { elements: [bars(rows)], said: said || "no label" };
    }
    const sorted = rows.sort((one, other) => other.share - one.share);
    const shown = this.#isWhole ? sorted : sorted.slice(0, MOST_BARS);
    const elements = [bars(shown), this.#more(sorted)];
    return { elements, said: said || "no label" };
  }

  #more(sorted) {
    const textContent = this.#isWhole
      ? "Show the likeliest alone"
      : `Show all ${sorted.length}`;
    const button = make("button", { type: "button", textContent });
    button.addEventListener("click", () => {
      this.#isWhole = !this.#isWhole;
      const shown = this.#isWhole ? sorted : sorted.slice(0, MOST_BARS);
      button.previousElementSibling.replaceWith(bars(shown));
      const next = this.#more(sorted);
      button.replaceWith(next);
      next.focus();
    });
    return button;
  }
}
