// Runs one model by one runtime in the browser: see web_page.py. The address
// says which: ?runtime=litert|onnx&file=...&lengths=32,128&runs=50.

const asked = new URLSearchParams(location.search);
const lengths = asked.get("lengths").split(",").map(Number);
const RUNTIMES = { litert, onnx };
const inputs = ["token_ids", "segment_ids", "padding_mask"];
const OUTPUT = "sentence_embedding";

function rows(length) {
  return {
    token_ids: Int32Array.from({ length }, (_, at) => 1000 + 37 * at),
    segment_ids: new Int32Array(length),
    padding_mask: new Int32Array(length).fill(1),
  };
}

async function bytes(file) {
  return new Uint8Array(await (await fetch(file)).arrayBuffer());
}

async function litert(file) {
  const { loadAndCompile, loadLiteRt, Tensor } = await import(
    "./litert/core.js"
  );
  const [content] = await Promise.all([
    bytes(file),
    loadLiteRt(new URL("./litert/", location.href).href),
  ]);
  const model = await loadAndCompile(content, { accelerator: "wasm" });
  return async (length) => {
    const own = rows(length);
    const feeds = Object.fromEntries(
      inputs.map((name) => [name, new Tensor(own[name], [1, length])]),
    );
    const outputs = await model.signatures[`encode_${length}`].run(feeds);
    const [value] = outputs[OUTPUT].toTypedArray();
    for (const each of Object.values({ ...feeds, ...outputs })) each.delete();
    return value;
  };
}

async function onnx(file) {
  const ort = await import("./ort/ort.wasm.min.mjs");
  ort.env.wasm.numThreads = 1;
  const session = await ort.InferenceSession.create(await bytes(file), {
    executionProviders: ["wasm"],
  });
  return async (length) => {
    const own = rows(length);
    const feeds = Object.fromEntries(
      inputs.map((name) => [
        name, new ort.Tensor("int32", own[name], [1, length]),
      ]),
    );
    const outputs = await session.run(feeds, [OUTPUT]);
    return outputs[OUTPUT].data[0];
  };
}

const start = performance.now();
const run = await RUNTIMES[asked.get("runtime")](asked.get("file"));
await run(lengths[0]);
const first = performance.now() - start;
const medians = [];
for (const length of lengths) {
  await run(length);
  const times = [];
  for (let left = Number(asked.get("runs")); left > 0; left--) {
    const before = performance.now();
    await run(length);
    times.push(performance.now() - before);
  }
  times.sort((one, other) => one - other);
  medians.push(times[Math.floor(times.length / 2)]);
}
window.measured = { first, medians };
