// Compares the words of a file's texts: `node words.mjs LINES.jsonl`.

import fs from "node:fs";

const page = new URL("../../tfminilm/web/page/", import.meta.url);
const { wholeWords, wordsAndMarks } = await import(
  new URL("model/words.js", page)
);

const lines = fs.readFileSync(process.argv[2], "utf-8").trimEnd().split("\n");
let first = null;
for (const line of lines) {
  const { text, marks, parts, whole } = JSON.parse(line);
  const find = wholeWords(text);
  const got = [];
  for (let at = 0; at < parts.length; at += 2) {
    const [start, end] = find(parts[at], parts[at + 1]);
    got.push(start, end);
    // Of blanks alone any place will do.
    if (start === end && whole[at] === whole[at + 1]) {
      got.splice(at, 2, whole[at], whole[at + 1]);
    }
  }
  const isSame =
    String(wordsAndMarks(text).flat()) === String(marks) &&
    String(got) === String(whole);
  if (!isSame) first ??= { text, got, whole, marks, own: wordsAndMarks(text) };
}
console.log(JSON.stringify({ lines: lines.length, first }));
