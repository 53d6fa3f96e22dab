// Reads texts with a model whose outputs are given, and prints what the page
// makes of them: `node heads.mjs FOLDER ROWS.json`. A row has `texts`,
// `outputs` of each window by name, and `manifest`, which changes the folder's.

import fs from "node:fs";
import path from "node:path";

const page = new URL("../../tfminilm/web/page/", import.meta.url);
const load = (name) => import(new URL(name, page));
const { openTokenizer } = await load("tokens/index.js");
const { QuestionAnswerer } = await load("model/answers.js");
const { entitiesOf } = await load("model/entities.js");
const { encodeTwo } = await load("model/encode.js");

const [folder, file] = process.argv.slice(2);
const read = (name) => Uint8Array.from(fs.readFileSync(name)).buffer;
const base = JSON.parse(fs.readFileSync(path.join(folder, "manifest.json")));
const tokenizer = await openTokenizer(
  base.tokenizer,
  async (name) => read(path.join(folder, name)),
  async (rules) => read(new URL(`characters_${rules}.bin`, page)),
);
const answers = [];
for (const row of JSON.parse(fs.readFileSync(file))) {
  const manifest = { ...base, ...row.manifest };
  const sequences = [];
  const engine = {
    maxLength: row.max_length,
    run: async (sequence) => {
      const outputs = row.outputs[sequences.push(sequence) - 1];
      const flat = Object.entries(outputs ?? {});
      return Object.fromEntries(
        flat.map(([name, values]) => [name, Float32Array.from(values)]),
      );
    },
  };
  const model = { manifest, tokenizer, engine };
  let answer = null;
  if (row.kind === "answer") {
    answer = await new QuestionAnswerer(model).answer(...row.texts);
  } else if (row.kind === "names") {
    answer = await entitiesOf(row.texts[0], model);
  } else {
    sequences.push(
      encodeTwo(...row.texts, tokenizer, manifest.tokenizer, row.max_length),
    );
  }
  answers.push({ answer, sequences });
}
console.log(JSON.stringify(answers));
