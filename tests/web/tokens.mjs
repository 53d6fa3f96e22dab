// Cuts the texts of a file and counts what differs from what stands there:
// `node tokens.mjs BUNDLE LINES.jsonl`, with `text`, `ids` and perhaps `spans`.

import fs from "node:fs";
import path from "node:path";
import readline from "node:readline";

const page = new URL("../../tfminilm/web/page/", import.meta.url);
const { openTokenizer } = await import(new URL("tokens/index.js", page));

const [bundle, lines] = process.argv.slice(2);
const bytes = (file) => {
  const content = fs.readFileSync(file);
  return Uint8Array.from(content).buffer;
};
const manifest = JSON.parse(fs.readFileSync(path.join(bundle, "manifest.json")));
const tokenizer = await openTokenizer(
  manifest.tokenizer,
  async (name) => bytes(path.join(bundle, name)),
  async (rules) => bytes(new URL(`characters_${rules}.bin`, page)),
);

const counts = { lines: 0, characters: 0, ids: 0, spans: 0, with_spans: 0 };
let milliseconds = 0;
let first = null;
for await (const line of readline.createInterface({
  input: fs.createReadStream(lines),
})) {
  const row = JSON.parse(line);
  const start = performance.now();
  const tokens = tokenizer.encode(row.text);
  milliseconds += performance.now() - start;
  const spans = tokens.starts.flatMap((at, i) => [at, tokens.ends[i]]);
  const isOther = String(tokens.ids) !== String(row.ids);
  const isElsewhere = row.spans && String(spans) !== String(row.spans);
  counts.lines += 1;
  counts.characters += row.text.length;
  counts.ids += isOther ? 1 : 0;
  counts.with_spans += row.spans ? 1 : 0;
  counts.spans += isElsewhere ? 1 : 0;
  if (isOther || isElsewhere) first ??= { ...row, got: tokens.ids, at: spans };
}
console.log(JSON.stringify({ ...counts, milliseconds, first }));
