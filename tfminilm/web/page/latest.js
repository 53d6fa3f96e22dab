/** Works on what was asked last, one thing at a time. */
export class Latest {
  #number = 0;
  #isBusy = false;

  /**
   * @param {(isOld: () => boolean) => Promise<void>} work is told by `isOld`
   *     that something newer waits.
   * @param {(error: Error) => void} fail takes what it throws.
   */
  constructor(work, fail) {
    this.work = work;
    this.fail = fail;
  }

  async ask() {
    this.#number++;
    if (this.#isBusy) return;
    this.#isBusy = true;
    try {
      for (let done = 0; done !== this.#number; ) {
        done = this.#number;
        const own = done;
        // Lets the browser draw, and take what is typed meanwhile.
        await new Promise((resolve) => setTimeout(resolve));
        await this.work(() => own !== this.#number);
      }
    } catch (error) {
      this.fail(error);
    } finally {
      this.#isBusy = false;
    }
  }
}
