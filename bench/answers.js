// What a null server answers with.

const ANSWERS_BYTES = 1_048_576;

/** Packets of one length, encoded beforehand and given out round and round. */
export class Ring {
  /** How many there are. */
  count;
  #bytes;
  #each;

  /** @param {Buffer[]} packets */
  constructor(packets) {
    this.count = packets.length;
    this.#bytes = Buffer.concat(packets);
    this.#each = this.#bytes.length / packets.length;
  }

  /**
   * Adds the next ones, as many as lie together; returns how many.
   * @param {Answers} answers
   * @param {number} next
   * @param {number} atMost
   */
  addTo(answers, next, atMost) {
    const first = next % this.count;
    const count = Math.min(atMost, this.count - first);
    answers.add(this.#bytes, first * this.#each, (first + count) * this.#each);
    return count;
  }
}

/** Collects answers; what was taken is never written again. */
export class Answers {
  #bytes = Buffer.allocUnsafeSlow(ANSWERS_BYTES);
  #used = 0;

  /**
   * @param {Buffer} source
   * @param {number} start
   * @param {number} end
   */
  add(source, start = 0, end = source.length) {
    if (this.#used + end - start > this.#bytes.length) this.#grow(end - start);
    source.copy(this.#bytes, this.#used, start, end);
    this.#used += end - start;
  }

  take() {
    const taken = this.#bytes.subarray(0, this.#used);
    this.#bytes = this.#bytes.subarray(this.#used);
    this.#used = 0;
    return taken;
  }

  /** @param {number} needed */
  #grow(needed) {
    const used = this.#bytes.subarray(0, this.#used);
    this.#bytes = Buffer.allocUnsafeSlow(Math.max(ANSWERS_BYTES, 2 * (used.length + needed)));
    used.copy(this.#bytes);
  }
}
