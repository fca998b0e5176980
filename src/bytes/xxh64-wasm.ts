// The inner loop of XXH64 as WebAssembly, which has the 64-bit numbers that JavaScript lacks: six times as fast, copy included.
// The module is so small that it is put together here, instruction by instruction, from the names of the specification.
//
// https://webassembly.github.io/spec/core/binary/index.html

/** Where the accumulators lie in the memory: four 64-bit numbers. */
const LANES = 0;
/** Where the bytes lie to be taken. */
const DATA = 64;
/** The memory: one page. */
const PAGE = 64 * 1024;

const I32 = 0x7f;
const I64 = 0x7e;
const VOID = 0x40;
const op = {
  loop: 0x03,
  brIf: 0x0d,
  end: 0x0b,
  localGet: 0x20,
  localSet: 0x21,
  localTee: 0x22,
  i64Load: 0x29,
  i64Store: 0x37,
  i32Const: 0x41,
  i64Const: 0x42,
  i32LtU: 0x49,
  i32Add: 0x6a,
  i64Add: 0x7c,
  i64Mul: 0x7e,
  i64Rotl: 0x89,
} as const;

const P1 = 0x9e3779b185ebca87n;
const P2 = 0xc2b2ae3d27d4eb4fn;

/** Takes the stripes in bytes `from` to `to`, whole ones, into the accumulators: eight halves, high before low. */
export type TakeStripes = (lanes: Int32Array, bytes: Uint8Array, from: number, to: number) => void;

/** What takes stripes by WebAssembly; undefined where there is none, or a page's policy forbids it. */
export function wasmStripes(): TakeStripes | undefined {
  let exported: WebAssembly.Exports;
  try {
    exported = new WebAssembly.Instance(new WebAssembly.Module(moduleBytes())).exports;
  } catch {
    return undefined;
  }
  const run = exported.run as (at: number, end: number) => void; // as exported below
  const { buffer } = exported.memory as WebAssembly.Memory;
  const memory = new Uint8Array(buffer);
  const numbers = new DataView(buffer);
  const most = PAGE - 1024;
  return (lanes, bytes, from, to) => {
    for (let i = 0; i < 4; i++) {
      numbers.setInt32(LANES + i * 8 + 4, lanes[i * 2] as number, true); // eight halves
      numbers.setInt32(LANES + i * 8, lanes[i * 2 + 1] as number, true);
    }
    for (let at = from; at < to; at += most) {
      const end = Math.min(to, at + most);
      memory.set(bytes.subarray(at, end), DATA);
      run(DATA, DATA + end - at);
    }
    for (let i = 0; i < 4; i++) {
      lanes[i * 2] = numbers.getInt32(LANES + i * 8 + 4, true);
      lanes[i * 2 + 1] = numbers.getInt32(LANES + i * 8, true);
    }
  };
}

function moduleBytes(): Uint8Array<ArrayBuffer> {
  const [at, end, lane] = [0, 1, 2]; // parameters, and the first of four locals
  const each = (work: (i: number) => number[]): number[] => [0, 1, 2, 3].flatMap(work);
  const body = [
    [1, 4, I64], // one run of locals: four of 64 bits
    each((i) => [op.i32Const, LANES, op.i64Load, 3, i * 8, op.localSet, lane + i]),
    [op.loop, VOID],
    // lane = rotl(lane + input * P2, 31) * P1
    each((i) =>
      [
        [op.localGet, lane + i],
        [op.localGet, at, op.i64Load, 3, i * 8, op.i64Const, ...signed(P2), op.i64Mul],
        [op.i64Add, op.i64Const, 31, op.i64Rotl, op.i64Const, ...signed(P1), op.i64Mul],
        [op.localSet, lane + i],
      ].flat(),
    ),
    [op.localGet, at, op.i32Const, 32, op.i32Add, op.localTee, at],
    [op.localGet, end, op.i32LtU, op.brIf, 0],
    [op.end],
    each((i) => [op.i32Const, LANES, op.localGet, lane + i, op.i64Store, 3, i * 8]),
    [op.end],
  ].flat();
  const module = [
    [0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0], // "\0asm", version 1
    section(1, [1, 0x60, 2, I32, I32, 0]), // one type: two numbers, no result
    section(3, [1, 0]), // one function of that type
    section(5, [1, 0, 1]), // one memory of at least one page
    section(7, [2, ...named("run"), 0, 0, ...named("memory"), 2, 0]), // what is exported
    section(10, [1, ...unsigned(body.length), ...body]),
  ];
  return Uint8Array.from(module.flat());
}

function section(id: number, content: readonly number[]): number[] {
  return [id, ...unsigned(content.length), ...content];
}

function named(name: string): number[] {
  return [name.length, ...new TextEncoder().encode(name)];
}

/** LEB128. */
function unsigned(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...unsigned(value >>> 7)];
}

/** LEB128 of 64 bits, as the signed number that they are. */
function signed(value: bigint): number[] {
  const bytes: number[] = [];
  for (let left = BigInt.asIntN(64, value); ; left >>= 7n) {
    const low = Number(left & 127n);
    const rest = left >> 7n;
    if ((rest === 0n && low < 64) || (rest === -1n && low >= 64)) return [...bytes, low];
    bytes.push(low | 128);
  }
}
