import { make } from "./views/parts.js";

const LATEST = 20;
const PRECISIONS = {
  float32: "float32",
  float16: "float16",
  dynamic_wi8_afp32: "int8 weights and products",
  weight_only_wi8_afp32: "int8 weights",
  dynamic_wi4_afp32: "int4 weights",
  static_wi8_ai8: "int8 throughout",
};

/** What the page says of the model and of its own speed. */
export class Facts {
  #times = [];

  /** @param {number} start when the page began to load the model. */
  constructor(list, manifest, start) {
    this.start = start;
    this.isFirst = true;
    const { files, precision, signatures } = manifest;
    const lengths = Object.values(signatures).map(({ length }) => length);
    const size = files["model.tflite"].bytes / 1e6;
    this.latency = row(list, "Latency", "-");
    this.first = row(list, "First answer", "-");
    row(list, "Model", manifest.description);
    row(
      list,
      "File",
      `${size.toFixed(1)} MB, ${PRECISIONS[precision] ?? precision}`,
    );
    row(list, "Reads", `${Math.max(...lengths)} tokens at once`);
  }

  /** Takes the milliseconds of an answer: tokens, model and all. */
  answered(milliseconds) {
    if (this.isFirst) {
      this.isFirst = false;
      performance.mark("first answer");
      const seconds = (performance.now() - this.start) / 1000;
      this.first.textContent = `${seconds.toFixed(1)} s after loading began`;
    }
    this.#times.push(milliseconds);
    this.#times = this.#times.slice(-LATEST);
    const sorted = [...this.#times].sort((one, other) => one - other);
    const median = sorted[Math.floor(sorted.length / 2)];
    const count = sorted.length > 1 ? `, median of ${sorted.length}` : "";
    this.latency.textContent = `${milliseconds.toFixed(1)} ms`;
    if (count) {
      this.latency.textContent += ` (${median.toFixed(1)} ms${count})`;
    }
  }
}

function row(list, name, value) {
  const term = make("dt", { textContent: name });
  const detail = make("dd", { textContent: value });
  list.append(make("div", {}, term, detail));
  return detail;
}
