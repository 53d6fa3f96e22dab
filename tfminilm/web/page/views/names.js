import { entitiesOf } from "../model/entities.js";
import { isBlank } from "../model/words.js";
import { bars, examples, field, marked, percent, soft } from "./parts.js";

/** The names in a text, marked where they stand. */
export class NamesView {
  constructor(model, page) {
    this.model = model;
    this.fields = [field("Text", page.examples[0]?.[0] ?? "", { rows: 5 })];
    this.inputs = [
      this.fields[0].whole, ...examples(page.examples, this.fields),
    ];
  }

  /** Returns the names in the text; null if it is blank. */
  async answer(isOld) {
    const text = this.fields[0].input.value;
    if (isBlank(text)) return null;
    const entities = await entitiesOf(text, this.model, isOld);
    return entities && { text, entities };
  }

  /** Draws an answer, and returns it in words. */
  draw(place, answer) {
    if (answer === null) {
      place.replaceChildren(soft("Type a text to see the names in it."));
      return "";
    }
    const { text, entities } = answer;
    const rows = entities.map(({ start, end, label, score }) => ({
      name: `${text.slice(start, end)} (${label})`,
      share: score,
      value: percent(score),
      isOn: true,
    }));
    place.replaceChildren(marked(text, entities), bars(rows));
    if (!rows.length) place.append(soft("No names."));
    return rows.map(({ name }) => name).join("; ") || "no names";
  }
}
