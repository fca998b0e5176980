// Long synchronous work lets the event loop run now and then: for signals, for progress, for whoever else is waiting.

/** Milliseconds of work between two turns of the event loop. A turn costs about one. */
const SLICE = 50;

/** Tells when a turn is due, and takes it. */
export class Turns {
  #last = performance.now();

  due(): boolean {
    return performance.now() - this.#last >= SLICE;
  }

  /** Lets timers, signals and input be served. */
  async take(): Promise<void> {
    await new Promise<void>((resolve) => {
      setTimeout(resolve, 0);
    });
    this.#last = performance.now();
  }
}
