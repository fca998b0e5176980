// What a read took its bytes from. An archive on the disk is looked at only now and then while an image is written, since a
// look costs as much as a small read; whoever hands out bytes at once has to know that they are right before.

/** Something of the host that contents are read from and that others may change. */
export interface Watched {
  /** Throws `source` unless it is what it was when the tree was made: then all that was read so far is right. */
  check(): void;
}

let watched: Set<Watched> | undefined;

/** Told by those who read from `source` without looking at it each time. */
export function noteRead(source: Watched): void {
  watched?.add(source);
}

/** Does `work`, and checks whatever it read from while it did not wait. */
export function checkedRead<T>(work: () => T): T {
  const outer = watched;
  const mine = new Set<Watched>();
  watched = mine;
  try {
    const result = work();
    for (const source of mine) source.check();
    return result;
  } finally {
    watched = outer;
    if (outer) for (const source of mine) outer.add(source);
  }
}
