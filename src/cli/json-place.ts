// Values in a JSON text that somebody may have edited: read by what is expected of them, refused with their place.

import { encodeName } from "../bytes/names.ts";
import { FsynthError } from "../error.ts";
import { hostPath } from "./path.ts";

/** A value in a JSON text, and the way to it. Its readers throw `corrupt` with that way. */
export class Place {
  constructor(
    readonly label: string,
    readonly path: string,
    readonly value: unknown,
  ) {}

  wrong(expected: string): FsynthError {
    const found = this.value === undefined ? "nothing" : JSON.stringify(this.value);
    const short = found.length > 80 ? `${found.slice(0, 80)}…` : found;
    return new FsynthError(
      "corrupt",
      `${this.label}: ${this.path === "" ? "" : `${this.path}: `}found ${short}, expected ${expected}`,
    );
  }

  object(): ObjectPlace {
    if (typeof this.value !== "object" || this.value === null || Array.isArray(this.value)) throw this.wrong("an object");
    return new ObjectPlace(this, this.value as Readonly<Record<string, unknown>>); // checked
  }

  list(): Place[] {
    if (!Array.isArray(this.value)) throw this.wrong("a list");
    return this.value.map((item: unknown, index) => new Place(this.label, `${this.path}[${index}]`, item));
  }

  text(): string {
    if (typeof this.value !== "string" || this.value === "") throw this.wrong("a text");
    return this.value;
  }

  /** A path of the host, as it is typed. */
  hostPath(): string {
    const typed = this.text();
    try {
      if (!encodeName(hostPath(typed)).includes(0)) return typed;
    } catch (error) {
      if (!(error instanceof FsynthError)) throw error;
    }
    throw this.wrong("a path");
  }

  /** A list with something in it. */
  some(what: string): Place[] {
    const list = this.list();
    if (list.length === 0) throw this.wrong(`at least one ${what}`);
    return list;
  }

  count(least = 0): number {
    if (typeof this.value !== "number" || !Number.isSafeInteger(this.value) || this.value < least) {
      throw this.wrong(`a whole number${least > 0 ? ` from ${least} up` : ""}`);
    }
    return this.value;
  }

  digest(): string {
    if (typeof this.value !== "string" || !/^[0-9a-f]{64}$/.test(this.value)) throw this.wrong("64 hexadecimal digits");
    return this.value;
  }

  word<const W extends string | boolean>(words: readonly W[]): W {
    const found = words.find((word) => word === this.value);
    if (found === undefined) throw this.wrong(words.join(" or "));
    return found;
  }
}

/** An object in a JSON text; what nobody asks for is refused in the end. */
export class ObjectPlace {
  readonly #place: Place;
  readonly #values: Readonly<Record<string, unknown>>;
  readonly #asked = new Set<string>();

  constructor(place: Place, values: Readonly<Record<string, unknown>>) {
    this.#place = place;
    this.#values = values;
  }

  get(key: string): Place {
    this.#asked.add(key);
    const { label, path } = this.#place;
    return new Place(
      label,
      path === "" ? key : `${path}.${key}`,
      Object.hasOwn(this.#values, key) ? this.#values[key] : undefined,
    );
  }

  find(key: string): Place | undefined {
    const place = this.get(key);
    return place.value === undefined ? undefined : place;
  }

  all(): Readonly<Record<string, unknown>> {
    return this.#values;
  }

  end(): void {
    for (const key of Object.keys(this.#values)) {
      if (!this.#asked.has(key)) throw this.get(key).wrong("nothing: records have no such entry");
    }
  }
}
