import { QuestionAnswerer } from "../model/answers.js";
import { isBlank } from "../model/words.js";
import { bars, examples, field, marked, percent, soft } from "./parts.js";

// Characters of the text that are shown around an answer.
const AROUND = 240;

/** The answer to a question, marked in a text. */
export class QuestionsView {
  constructor(model, page) {
    this.answerer = new QuestionAnswerer(model);
    const [question = "", text = ""] = page.examples[0] ?? [];
    this.fields = [
      field("Question", question),
      field("Text", text, { rows: 7 }),
    ];
    this.inputs = [
      ...this.fields.map(({ whole }) => whole),
      ...examples(page.examples, this.fields),
    ];
  }

  /** Returns the answer to what is asked; null if a field is blank. */
  async answer(isOld) {
    const [question, text] = this.fields.map(({ input }) => input.value);
    if (isBlank(question) || isBlank(text)) return null;
    const answer = await this.answerer.answer(question, text, isOld);
    return answer && { ...answer, text };
  }

  /** Draws an answer, and returns it in words. */
  draw(place, answer) {
    if (answer === null) {
      place.replaceChildren(soft("Ask something about a text."));
      return "";
    }
    const { start, end, score, text, windows } = answer;
    const isNone = start === null;
    const name = isNone ? "No answer in the text" : text.slice(start, end);
    const value = percent(score);
    place.replaceChildren(bars([{ name, share: score, value, isOn: !isNone }]));
    if (!isNone) {
      const from = start > AROUND ? start - AROUND : 0;
      const to = end + AROUND < text.length ? end + AROUND : text.length;
      place.append(marked(text, [{ start, end }], from, to));
    }
    if (windows > 1) {
      place.append(soft(`A long text: read in ${windows} overlapping parts.`));
    }
    return `${name}, ${value}`;
  }
}
