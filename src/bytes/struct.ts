// On-disk records as tables. A table is written down once, with the specification's own field names and the offset
// pinned in each row; writer, reader, checker and dump are views of it. Fields are small objects of one class per
// scalar, so that every access in a hot loop sees one shape.

import { assert } from "../error.ts";

/** One scalar of a record. `at` is the byte offset of the record within the view. */
export interface Field<T = number> {
  readonly offset: number;
  readonly size: number;
  get(view: DataView, at: number): T;
  set(view: DataView, at: number, value: T): void;
}

type FieldClass<T> = new (offset: number) => Field<T>;

class U8 implements Field {
  readonly size = 1;
  constructor(readonly offset: number) {}
  get(view: DataView, at: number): number {
    return view.getUint8(at + this.offset);
  }
  set(view: DataView, at: number, value: number): void {
    view.setUint8(at + this.offset, value);
  }
}

class U16Le implements Field {
  readonly size = 2;
  constructor(readonly offset: number) {}
  get(view: DataView, at: number): number {
    return view.getUint16(at + this.offset, true);
  }
  set(view: DataView, at: number, value: number): void {
    view.setUint16(at + this.offset, value, true);
  }
}

class U32Le implements Field {
  readonly size = 4;
  constructor(readonly offset: number) {}
  get(view: DataView, at: number): number {
    return view.getUint32(at + this.offset, true);
  }
  set(view: DataView, at: number, value: number): void {
    view.setUint32(at + this.offset, value, true);
  }
}

class I32Le implements Field {
  readonly size = 4;
  constructor(readonly offset: number) {}
  get(view: DataView, at: number): number {
    return view.getInt32(at + this.offset, true);
  }
  set(view: DataView, at: number, value: number): void {
    view.setInt32(at + this.offset, value, true);
  }
}

class U64Le implements Field {
  readonly size = 8;
  constructor(readonly offset: number) {}
  get(view: DataView, at: number): number {
    return view.getUint32(at + this.offset, true) + view.getUint32(at + this.offset + 4, true) * 0x1_0000_0000;
  }
  set(view: DataView, at: number, value: number): void {
    view.setUint32(at + this.offset, value % 0x1_0000_0000, true);
    view.setUint32(at + this.offset + 4, Math.floor(value / 0x1_0000_0000), true);
  }
}

class I16Le implements Field {
  readonly size = 2;
  constructor(readonly offset: number) {}
  get(view: DataView, at: number): number {
    return view.getInt16(at + this.offset, true);
  }
  set(view: DataView, at: number, value: number): void {
    view.setInt16(at + this.offset, value, true);
  }
}

class I64Le implements Field {
  readonly size = 8;
  constructor(readonly offset: number) {}
  get(view: DataView, at: number): number {
    return view.getUint32(at + this.offset, true) + view.getInt32(at + this.offset + 4, true) * 0x1_0000_0000;
  }
  set(view: DataView, at: number, value: number): void {
    view.setUint32(at + this.offset, value % 0x1_0000_0000, true);
    view.setInt32(at + this.offset + 4, Math.floor(value / 0x1_0000_0000), true);
  }
}

class U16Be implements Field {
  readonly size = 2;
  constructor(readonly offset: number) {}
  get(view: DataView, at: number): number {
    return view.getUint16(at + this.offset, false);
  }
  set(view: DataView, at: number, value: number): void {
    view.setUint16(at + this.offset, value, false);
  }
}

class U32Be implements Field {
  readonly size = 4;
  constructor(readonly offset: number) {}
  get(view: DataView, at: number): number {
    return view.getUint32(at + this.offset, false);
  }
  set(view: DataView, at: number, value: number): void {
    view.setUint32(at + this.offset, value, false);
  }
}

class I16Be implements Field {
  readonly size = 2;
  constructor(readonly offset: number) {}
  get(view: DataView, at: number): number {
    return view.getInt16(at + this.offset, false);
  }
  set(view: DataView, at: number, value: number): void {
    view.setInt16(at + this.offset, value, false);
  }
}

class I32Be implements Field {
  readonly size = 4;
  constructor(readonly offset: number) {}
  get(view: DataView, at: number): number {
    return view.getInt32(at + this.offset, false);
  }
  set(view: DataView, at: number, value: number): void {
    view.setInt32(at + this.offset, value, false);
  }
}

class U64Be implements Field {
  readonly size = 8;
  constructor(readonly offset: number) {}
  get(view: DataView, at: number): number {
    return view.getUint32(at + this.offset, false) * 0x1_0000_0000 + view.getUint32(at + this.offset + 4, false);
  }
  set(view: DataView, at: number, value: number): void {
    view.setUint32(at + this.offset, Math.floor(value / 0x1_0000_0000), false);
    view.setUint32(at + this.offset + 4, value % 0x1_0000_0000, false);
  }
}

class I64Be implements Field {
  readonly size = 8;
  constructor(readonly offset: number) {}
  get(view: DataView, at: number): number {
    return view.getInt32(at + this.offset, false) * 0x1_0000_0000 + view.getUint32(at + this.offset + 4, false);
  }
  set(view: DataView, at: number, value: number): void {
    view.setInt32(at + this.offset, Math.floor(value / 0x1_0000_0000), false);
    view.setUint32(at + this.offset + 4, value % 0x1_0000_0000, false);
  }
}

/** Scalars of record tables. 64-bit ones are exact up to 2^53-1. */
export const u8 = U8;
export const le16 = U16Le;
export const le32 = U32Le;
/** Signed 32 bits. */
export const les32 = I32Le;
export const le64 = U64Le;
export const be16 = U16Be;
export const be32 = U32Be;

/** Which end of a number comes first. */
export type ByteOrder = "little" | "big";

const little = { u16: U16Le, i16: I16Le, u32: U32Le, i32: I32Le, u64: U64Le, i64: I64Le } as const;
const big: Scalars = { u16: U16Be, i16: I16Be, u32: U32Be, i32: I32Be, u64: U64Be, i64: I64Be };

/** The scalars of one byte order, for formats that have both. */
export type Scalars = { readonly [K in keyof typeof little]: FieldClass<number> };

export function scalarsOf(order: ByteOrder): Scalars {
  return order === "little" ? little : big;
}

/** `length` raw bytes; a shorter value is followed by zeros, a longer one is a bug. */
export function raw(length: number): FieldClass<Uint8Array> {
  return class Raw implements Field<Uint8Array> {
    readonly size = length;
    constructor(readonly offset: number) {}
    get(view: DataView, at: number): Uint8Array {
      return new Uint8Array(view.buffer, view.byteOffset + at + this.offset, length);
    }
    set(view: DataView, at: number, value: Uint8Array): void {
      assert(value.length <= length, `${value.length} bytes for a field of ${length}`);
      const target = this.get(view, at);
      target.fill(0);
      target.set(value);
    }
  };
}

/** `count` scalars in a row, as an array; a shorter value is followed by zeros. */
export function row(scalar: FieldClass<number>, count: number): FieldClass<readonly number[]> {
  const width = new scalar(0).size;
  return class Row implements Field<readonly number[]> {
    readonly size = width * count;
    readonly #items: readonly Field[];
    constructor(readonly offset: number) {
      this.#items = Array.from({ length: count }, (_, i) => new scalar(offset + i * width));
    }
    get(view: DataView, at: number): number[] {
      return this.#items.map((item) => item.get(view, at));
    }
    set(view: DataView, at: number, value: readonly number[]): void {
      assert(value.length <= count, `${value.length} numbers for a row of ${count}`);
      this.#items.forEach((item, i) => {
        item.set(view, at, value[i] ?? 0);
      });
    }
  };
}

type Rows = {
  readonly [name: string]: readonly [
    offset: number,
    scalar: FieldClass<number> | FieldClass<Uint8Array> | FieldClass<readonly number[]>,
  ];
};
type FieldOf<C> = C extends new (offset: number) => infer F ? F : never;

/** A record: its fields under `f`, its size in bytes. */
export interface Struct<R extends Rows> {
  readonly name: string;
  readonly size: number;
  readonly f: { readonly [K in keyof R]: FieldOf<R[K][1]> };
  /** Every field's value by name, in the order of the disk. */
  dump(view: DataView, at: number): Record<string, number | Uint8Array | readonly number[]>;
  /** The field that holds the byte at `offset`, if any. */
  fieldAt(offset: number): string | undefined;
}

/** Makes a record of a table. Overlaps and overruns are found when the module loads. */
export function struct<const R extends Rows>(name: string, size: number, rows: R): Struct<R> {
  const fields: [string, Field<unknown>][] = Object.entries(rows).map(([field, [offset, scalar]]) => [
    field,
    new (scalar as FieldClass<unknown>)(offset), // the table's own type is kept by the mapped type of `f`
  ]);
  fields.sort((a, b) => a[1].offset - b[1].offset);
  let end = 0;
  for (const [field, { offset, size: width }] of fields) {
    assert(offset >= end, `${name}.${field} at ${offset} overlaps the field before it, which ends at ${end}`);
    end = offset + width;
    assert(end <= size, `${name}.${field} ends at ${end}, after the record's ${size} bytes`);
  }
  return {
    name,
    size,
    f: Object.fromEntries(fields) as unknown as Struct<R>["f"], // built from `rows`, key by key
    dump: (view, at) =>
      Object.fromEntries(fields.map(([field, f]) => [field, f.get(view, at) as number | Uint8Array | number[]])),
    fieldAt: (offset) => fields.find(([, f]) => offset >= f.offset && offset < f.offset + f.size)?.[0],
  };
}

/** Where records of a table are written: its bytes, a view of the same, and where in them the record at hand starts. */
export interface Slot {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  at: number;
}

/** A view of all of `bytes`. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
