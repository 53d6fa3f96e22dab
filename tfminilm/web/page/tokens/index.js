import { SentencePiece } from "./sentencepiece.js";
import { WordPiece } from "./wordpiece.js";

/**
 * Returns the tokenizer of a bundle.
 *
 * @param {object} settings the manifest's `tokenizer`.
 * @param {(name: string) => Promise<ArrayBuffer>} read reads a file of it.
 * @param {(rules: string) => Promise<ArrayBuffer>} readTable reads the gzipped
 *     table of characters of WordPiece's rules.
 */
export async function openTokenizer(settings, read, readTable) {
  if (settings.kind === "sentencepiece") {
    return new SentencePiece(await read(settings.vocabulary), settings);
  }
  const [words, packed] = await Promise.all([
    read(settings.vocabulary),
    readTable(settings.rules),
  ]);
  return new WordPiece(words, settings, await unpacked(packed));
}

async function unpacked(packed) {
  const stream = new Blob([packed]).stream();
  const plain = stream.pipeThrough(new DecompressionStream("gzip"));
  return new Response(plain).arrayBuffer();
}
