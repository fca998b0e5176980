// Numbers of cpio headers: text in hexadecimal or octal, always as wide as the field, and the halves of old binary ones.

import type { Field } from "../../../src/bytes/struct.ts";

const ZERO = 0x30;
const HEX = new TextEncoder().encode("0123456789ABCDEF");

/** Value of a hexadecimal digit in either case, -1 for any other byte. */
function digit(byte: number): number {
  if (byte >= ZERO && byte <= 0x39) return byte - ZERO;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}

/** Eight hexadecimal digits, as Linux takes them: no blanks, no sign, no `0x`. Written in upper case; anything else reads as NaN. */
export class Hex8 implements Field {
  readonly size = 8;
  constructor(readonly offset: number) {}
  get(view: DataView, at: number): number {
    let value = 0;
    for (let i = 0; i < 8; i++) {
      const number = digit(view.getUint8(at + this.offset + i));
      if (number < 0) return Number.NaN;
      value = value * 16 + number;
    }
    return value;
  }
  set(view: DataView, at: number, value: number): void {
    let rest = value;
    for (let i = 7; i >= 0; i--) {
      view.setUint8(at + this.offset + i, HEX[rest & 15] as number); // four bits
      rest >>>= 4;
    }
  }
}

/** `width` octal digits; anything else reads as NaN. */
export function octal(width: number): new (offset: number) => Field {
  return class Octal implements Field {
    readonly size = width;
    constructor(readonly offset: number) {}
    get(view: DataView, at: number): number {
      let value = 0;
      for (let i = 0; i < width; i++) {
        const number = view.getUint8(at + this.offset + i) - ZERO;
        if (number < 0 || number > 7) return Number.NaN;
        value = value * 8 + number;
      }
      return value;
    }
    set(view: DataView, at: number, value: number): void {
      let rest = value;
      for (let i = width - 1; i >= 0; i--) {
        view.setUint8(at + this.offset + i, ZERO + (rest % 8));
        rest = Math.floor(rest / 8);
      }
    }
  };
}

/** 32 bits as two words, the upper one first, whatever order the bytes of a word have. */
function halves(little: boolean): new (offset: number) => Field {
  return class Halves implements Field {
    readonly size = 4;
    constructor(readonly offset: number) {}
    get(view: DataView, at: number): number {
      const high = view.getUint16(at + this.offset, little);
      return high * 0x1_0000 + view.getUint16(at + this.offset + 2, little);
    }
    set(view: DataView, at: number, value: number): void {
      view.setUint16(at + this.offset, value >>> 16, little);
      view.setUint16(at + this.offset + 2, value & 0xffff, little);
    }
  };
}

export const halvesLe = halves(true);
export const halvesBe = halves(false);
