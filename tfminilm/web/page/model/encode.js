/**
 * Turns a text into a sequence; what is too long is not read to its end.
 *
 * @returns {{ids: number[], segments: number[], isCut: boolean}}
 */
export function encodeOne(text, tokenizer, settings, maxLength) {
  const { cls, sep } = settings.special_ids;
  const room = maxLength - 2;
  const { ids } = tokenizer.encode(text, room + 1);
  const row = [cls, ...ids.slice(0, room), sep];
  return {
    ids: row,
    segments: row.map(() => 0),
    isCut: ids.length > room,
  };
}

/** Does the same for two; of those that are too long the longer is cut first. */
export function encodeTwo(first, second, tokenizer, settings, maxLength) {
  const { cls, sep } = settings.special_ids;
  const between = separators(settings);
  const room = maxLength - 2 - between.length;
  const head = tokenizer.encode(first, room + 1).ids;
  const tail = tokenizer.encode(second, room + 1).ids;
  const half = Math.floor((room + 1) / 2);
  const kept = Math.min(head.length, Math.max(room - tail.length, half));
  const left = [cls, ...head.slice(0, kept), ...between];
  const right = [...tail.slice(0, room - kept), sep];
  return {
    ids: [...left, ...right],
    segments: [...left.map(() => 0), ...right.map(() => 1)],
    isCut: head.length + tail.length > room,
  };
}

/** Returns what stands between two texts. */
export function separators(settings) {
  const count = settings.separators_between_texts ?? 1;
  return Array(count).fill(settings.special_ids.sep);
}
