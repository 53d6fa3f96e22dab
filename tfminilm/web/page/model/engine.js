import { loadAndCompile, loadLiteRt, Tensor } from "../litert/core.js";

/**
 * Starts LiteRT.js, which takes a while, and needs no model yet.
 *
 * @returns {Promise<void>} to be awaited before `Engine.open`.
 */
export async function startRuntime() {
  // It writes notes as errors: those alone are left that are some.
  self.Module = {
    printErr: (line) => /^(INFO|WARNING)/.test(line) || console.error(line),
  };
  await loadLiteRt(new URL("../litert/", import.meta.url).href);
}

/**
 * Runs a bundle's model by LiteRT.js, on the processor.
 *
 * A sequence is `{ids, segments}`, two arrays of a number for each token.
 */
export class Engine {
  #model;
  #signatures;
  #padding;

  /**
   * @param {object} manifest of the bundle.
   * @param {Uint8Array} file the model.
   * @throws {Error} the runtime does not give the answers that the manifest
   *     knows, or cannot run at all.
   */
  static async open(manifest, file) {
    const engine = new Engine();
    engine.#model = await loadAndCompile(file, { accelerator: "wasm" });
    engine.#padding = manifest.tokenizer.special_ids.pad;
    engine.#signatures = Object.entries(manifest.signatures)
      .map(([name, { length }]) => ({ name, length }))
      .sort((one, other) => one.length - other.length);
    await engine.#prove(manifest.probe);
    return engine;
  }

  /** Tokens of the longest sequence, the special ones included. */
  get maxLength() {
    return this.#signatures.at(-1).length;
  }

  /**
   * Runs a sequence in the shortest signature that it fits, padded.
   *
   * @param {string[]} names of the outputs to return.
   * @returns {Promise<Record<string, Float32Array>>} flat; rows of padding
   *     are there too, and mean nothing.
   */
  async run(sequence, names) {
    const { name, length } = this.#signatures.find(
      (each) => each.length >= sequence.ids.length,
    );
    const rows = {
      token_ids: padded(sequence.ids, length, this.#padding),
      segment_ids: padded(sequence.segments, length, 0),
      padding_mask: padded(sequence.ids.map(() => 1), length, 0),
    };
    const runner = this.#model.signatures[name];
    const inputs = {};
    for (const each of runner.getInputDetails()) {
      inputs[each.name] = new Tensor(rows[each.name], [1, length]);
    }
    const outputs = await runner.run(inputs);
    const values = Object.fromEntries(
      names.map((each) => [each, outputs[each].toTypedArray().slice()]),
    );
    // LiteRT.js frees nothing by itself.
    for (const tensor of Object.values({ ...inputs, ...outputs })) {
      tensor.delete();
    }
    return values;
  }

  /** Compares the known answers of the manifest, which also warms up. */
  async #prove(probe) {
    for (const row of probe.rows) {
      const ids = row.token_ids;
      const segments = row.segment_ids ?? ids.map(() => 0);
      const names = Object.keys(row.outputs);
      const outputs = await this.run({ ids, segments }, names);
      for (const name of names) {
        const isRight = row.outputs[name].every(
          (value, at) => Math.abs(outputs[name][at] - value) <= probe.tolerance,
        );
        if (!isRight) {
          throw new Error(
            "This browser computes the model wrongly: its known answers are " +
              "others. Try another browser",
          );
        }
      }
    }
  }
}

function padded(values, length, padding) {
  const row = new Int32Array(length).fill(padding);
  row.set(values);
  return row;
}
