// Runs folders in transformers.js: `node transformers_js_worker.mjs MODULES
// TEXTS JOBS` reads JSON lists of texts and of jobs, each a task, a folder and
// a type of weights, and prints what each makes of the texts.
import { readFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { pathToFileURL } from 'node:url';

const [modules, textsFile, jobsFile] = process.argv.slice(2);
const place = `${modules}/@huggingface/transformers/dist/transformers.node.mjs`;
const { env, pipeline } = await import(pathToFileURL(place).href);
const read = (path) => JSON.parse(readFileSync(path, 'utf-8'));
const texts = read(textsFile);
env.allowRemoteModels = false;

const results = [];
for (const [task, folder, dtype] of read(jobsFile)) {
  env.localModelPath = dirname(folder);
  const run = await pipeline(task, basename(folder), { dtype });
  const rows = [];
  for (const text of texts) {
    if (task === 'feature-extraction') {
      const states = await run(text, { pooling: 'mean', normalize: true });
      rows.push(Array.from(states.data));
    } else {
      const answers = await run(text, { top_k: null });
      rows.push(Object.fromEntries(answers.map((x) => [x.label, x.score])));
    }
  }
  results.push(rows);
}
console.log(JSON.stringify(results));
