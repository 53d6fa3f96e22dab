import { openTokenizer } from "../tokens/index.js";

const FORMAT = "tfminilm-bundle";
const FORMAT_VERSION = 2;

/**
 * Reads a bundle's manifest, tokenizer and model.
 *
 * @param {string} folder its address, with a slash behind it.
 * @throws {Error} a file is missing, or not what the manifest describes.
 */
export async function openBundle(folder) {
  const read = (name) => readFile(`${folder}${name}`);
  const manifest = JSON.parse(
    new TextDecoder().decode(await read("manifest.json")),
  );
  if (
    manifest.format !== FORMAT || manifest.format_version !== FORMAT_VERSION
  ) {
    throw new Error("This page cannot read its bundle: make the page again");
  }
  const readChecked = async (name) => {
    const content = await read(name);
    if (content.byteLength !== manifest.files[name]?.bytes) {
      throw new Error(`${name} is not whole: copy the page's folder again`);
    }
    return content;
  };
  const [tokenizer, model] = await Promise.all([
    openTokenizer(manifest.tokenizer, readChecked, (rules) =>
      readFile(`characters_${rules}.bin`),
    ),
    readChecked("model.tflite"),
  ]);
  return { manifest, tokenizer, model: new Uint8Array(model) };
}

/** Reads a file of the page's folder. */
export async function readFile(address) {
  let response;
  try {
    response = await fetch(address);
  } catch {
    response = { ok: false };
  }
  if (!response.ok) {
    throw new Error(`${address} is missing: copy the page's folder again`);
  }
  return response.arrayBuffer();
}
