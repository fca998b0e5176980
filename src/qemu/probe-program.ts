// The smallest programs that show whether an accelerator makes progress: they count to 20 million and end the machine.

import type { Arch } from "./machine.ts";

export interface ProbeProgram {
  readonly bytes: Uint8Array;
  /** QEMU's exit status when the program came to its end. */
  readonly status: number;
  /** Arguments that run what is at `path`. */
  args(path: string): string[];
}

/** The program for `arch`. */
export function probeProgram(arch: Arch): ProbeProgram {
  if (arch === "aarch64") return { bytes: arm(), status: 0, args: armArguments };
  return { bytes: bootSector(), status: 85, args: x86Arguments };
}

/**
 * A boot sector (loaded at 0x7c00, 0x55 0xaa at its end). Protected mode without paging; isa-debug-exit makes of a byte at
 * port 0xf4 the exit status 2n+1: 42 becomes 85.
 */
function bootSector(): Uint8Array {
  const bytes = new Uint8Array(512);
  // biome-ignore format: an instruction a line
  bytes.set([
    0xfa,                                     // cli
    0x31, 0xc0,                               // xor ax, ax
    0x8e, 0xd8,                               // mov ds, ax
    0x0f, 0x01, 0x16, 0x40, 0x7c,             // lgdt [0x7c40]
    0x0f, 0x20, 0xc0,                         // mov eax, cr0
    0x0c, 0x01,                               // or al, 1
    0x0f, 0x22, 0xc0,                         // mov cr0, eax
    0xea, 0x17, 0x7c, 0x08, 0x00,             // jmp 0x08:0x7c17
    0xb9, 0x00, 0x2d, 0x31, 0x01,             // 0x17: mov ecx, 20000000
    0x49,                                     // 0x1c: dec ecx
    0x75, 0xfd,                               // jnz 0x1c
    0xb0, 0x2a,                               // mov al, 42
    0xe6, 0xf4,                               // out 0xf4, al
    0xf4,                                     // hlt
    0xeb, 0xfd,                               // jmp to the hlt
  ]);
  // The table's limit and address, then the table: nothing, and a flat segment of 32-bit code.
  bytes.set([15, 0, 0x48, 0x7c, 0, 0], 0x40);
  bytes.set([0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0x9a, 0xcf, 0], 0x48);
  bytes.set([0x55, 0xaa], 510);
  return bytes;
}

function x86Arguments(path: string): string[] {
  const drive = `if=ide,driver=raw,file.driver=file,file.filename=${path}`;
  return ["-machine", "pc", "-drive", drive, "-device", "isa-debug-exit,iobase=0xf4,iosize=4"];
}

/** For the flash at address 0 of the machine virt: counts, then asks the firmware (PSCI 0.2, SYSTEM_OFF) to end the machine. */
function arm(): Uint8Array {
  // biome-ignore format: an instruction a line
  const words = [
    0xd285a000, // mov x0, #0x2d00
    0xf2a02620, // movk x0, #0x131, lsl #16
    0xf1000400, // subs x0, x0, #1
    0x54ffffe1, // b.ne the line above
    0x52800100, // mov w0, #0x0008
    0x72b08000, // movk w0, #0x8400, lsl #16
    0xd4000002, // hvc #0
    0x14000000, // b here
  ];
  const bytes = new Uint8Array(words.length * 4);
  const view = new DataView(bytes.buffer);
  words.forEach((word, i) => {
    view.setUint32(i * 4, word, true);
  });
  return bytes;
}

function armArguments(path: string): string[] {
  return ["-machine", "virt,gic-version=max", "-bios", path];
}
