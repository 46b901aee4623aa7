// The small world's tokenizer: a known piece is one token, anything else is spelt in bytes.

const SPECIAL = /(<pad>|<bos>|<eos>)/;

class Tokenizer {
  /**
   * pieces: the text of every token that is more than one byte. bytes: the id of each byte.
   * letters, unmarked: what Python's tokenizer calls a letter, and what it calls a letter or a blank,
   * as ranges; every browser has its own idea of them.
   */
  constructor({ pieces, bytes, special, letters, unmarked }) {
    // A word or a run of punctuation, with the space after it, or one blank.
    this.piece = new RegExp(`[${letters}]+ ?|[^${unmarked}]+ ?|\\p{White_Space}`, "gu");
    this.pieces = new Map(Object.entries(pieces));
    this.bytes = bytes;
    this.special = new Map(Object.entries(special));
    this.bos = this.special.get("<bos>");
    this.eos = this.special.get("<eos>");
    this.texts = new Map([...this.pieces, ...this.special].map(([text, id]) => [id, text]));
    this.byte = new Map(bytes.map((id, byte) => [id, byte]));
  }

  ids(text) {
    if (/\p{Surrogate}/u.test(text)) throw new Error("half a character");
    return text.split(SPECIAL).flatMap((part) =>
      this.special.has(part) ? [this.special.get(part)] : (part.match(this.piece) ?? []).flatMap((piece) =>
        this.pieces.has(piece) ? [this.pieces.get(piece)]
          : [...new TextEncoder().encode(piece)].map((byte) => this.bytes[byte])));
  }

  /** One token as text; a lone byte of a longer character as that byte. */
  show(id) {
    if (!this.byte.has(id)) return this.texts.get(id);
    const byte = this.byte.get(id);
    return byte < 128 ? String.fromCharCode(byte) : `0x${byte.toString(16).toUpperCase()}`;
  }

  /** A prompt after <bos> and a response before one <eos>, as the library's `encode` has them. */
  encode(prompt, response) {
    const ids = this.ids(response);
    if (!ids.length) throw new Error("the response is empty");
    const begun = this.ids(prompt);
    return { prompt: begun[0] === this.bos ? begun : [this.bos, ...begun], response: this.ended(ids) };
  }

  ended(ids) {
    const isBlank = (id) => this.byte.has(id) && !/[^\s\x1c-\x1f]/.test(String.fromCharCode(this.byte.get(id)))
      && this.byte.get(id) < 128;
    let end = ids.length;
    while (end && (ids[end - 1] === this.eos || isBlank(ids[end - 1]))) end--;
    const first = ids.indexOf(this.eos, end);
    if (first < 0) return [...ids, this.eos];
    return [...ids.slice(0, first + 1), ...ids.slice(first + 1).filter((id) => id !== this.eos)];
  }
}
