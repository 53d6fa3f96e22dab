import { utf8 } from "./text.js";

const VARINT = 0;
const FIXED_64 = 1;
const BYTES = 2;
const FIXED_32 = 5;

/** A message in the wire format of Protocol Buffers, read field after field. */
export class Protobuf {
  field = 0;
  #at = 0;
  #type = 0;
  #isRead = true;

  /** @param {Uint8Array} bytes of the message. */
  constructor(bytes) {
    this.bytes = bytes;
  }

  /** Goes on to the next field, if there is one. */
  next() {
    if (!this.#isRead) this.#skip();
    if (this.#at >= this.bytes.length) return false;
    const tag = this.#varint();
    this.field = Math.floor(tag / 8);
    this.#type = tag % 8;
    this.#isRead = false;
    return true;
  }

  number() {
    this.#require(VARINT);
    return this.#varint();
  }

  flag() {
    return this.number() !== 0;
  }

  float() {
    this.#require(FIXED_32);
    const part = this.#slice(4);
    return new DataView(part.buffer, part.byteOffset).getFloat32(0, true);
  }

  content() {
    this.#require(BYTES);
    return this.#slice(this.#varint());
  }

  message() {
    return new Protobuf(this.content());
  }

  text() {
    return utf8(this.content());
  }

  #require(type) {
    if (this.#type !== type) throw damaged(`field ${this.field}`);
    this.#isRead = true;
  }

  #skip() {
    this.#isRead = true;
    if (this.#type === VARINT) this.#varint();
    else if (this.#type === FIXED_64) this.#slice(8);
    else if (this.#type === BYTES) this.#slice(this.#varint());
    else if (this.#type === FIXED_32) this.#slice(4);
    else throw damaged(`field ${this.field}`);
  }

  #varint() {
    let value = 0;
    for (let factor = 1; factor < 2 ** 70; factor *= 128) {
      if (this.#at >= this.bytes.length) throw damaged("it is cut off");
      const byte = this.bytes[this.#at++];
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
    throw damaged("a number is too long");
  }

  #slice(size) {
    const end = this.#at + size;
    if (end > this.bytes.length) throw damaged("it is cut off");
    const part = this.bytes.subarray(this.#at, end);
    this.#at = end;
    return part;
  }
}

/** Returns the error of a SentencePiece model that cannot be read. */
export function damaged(what) {
  return new Error(`The SentencePiece model is damaged: ${what}`);
}
