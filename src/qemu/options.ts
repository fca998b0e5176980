// What a boot can be told.

import type { Image } from "../index.ts";
import type { Forward, FwCfg, Share } from "./arguments.ts";
import type { AcceleratorName, Arch, ConsoleKind, GuestOs, Machine } from "./machine.ts";

/** The machine, its kernel and its disks. */
export interface MachineOptions {
  /**
   * The root disk: the path of an ext2, ext3, ext4 or FFS image, plain or compressed by gzip or zstd, or a planned image; it
   * is served to the machine without being written anywhere, and what the guest writes stays in memory. A cpio archive is
   * taken as the initrd.
   */
  readonly root?: string | Image | undefined;
  /** Default: the newest kernel of this host that can be read. */
  readonly kernel?: string | undefined;
  /** An initramfs to use instead of the one that fsynth makes. */
  readonly initrd?: string | Image | undefined;
  /** Boots without an initramfs: the kernel finds its root itself. */
  readonly noInitramfs?: boolean | undefined;
  /** `…/lib/modules/RELEASE`, or a folder that holds RELEASE. Default: /lib/modules/RELEASE. */
  readonly modules?: string | undefined;
  /** Modules to load besides those that are needed, by name. */
  readonly extraModules?: readonly string[] | undefined;
  /** A static busybox for the initramfs. Default: one of this host. */
  readonly busybox?: string | undefined;
  /** More arguments for the kernel, behind fsynth's own. */
  readonly append?: string | undefined;
  /** The program that the root starts with. Default: the first of /sbin/init, /init, /etc/init, /bin/init, /bin/sh. */
  readonly init?: string | undefined;
  /** Default: linux. */
  readonly os?: GuestOs | undefined;
  /** Default: that of this host. */
  readonly arch?: Arch | undefined;
  /** A machine of the table. Default: the first for `arch` and `os`. */
  readonly machine?: Machine["name"] | undefined;
  /** Default: auto, which tries what the host has. */
  readonly accelerator?: AcceleratorName | "auto" | undefined;
  /** The emulator. Default: the one that the machine names. */
  readonly qemu?: string | undefined;
  /** MiB. Default: 512. */
  readonly memory?: number | undefined;
  /** Default: 1. */
  readonly cpus?: number | undefined;
  /** Further disks, raw images, in this order behind the root. */
  readonly disks?: readonly string[] | undefined;
  /** Lets the guest write to its disks. By default what it writes goes with it. */
  readonly writable?: boolean | undefined;
  /** User-mode network (10.0.2.15/24, gateway 10.0.2.2, DNS 10.0.2.3). Default: only when ports are forwarded. */
  readonly network?: boolean | undefined;
  /** Ports of this host that lead to the guest. */
  readonly forwards?: readonly Forward[] | undefined;
  /** Folders of this host that the guest can mount by 9p. */
  readonly shares?: readonly Share[] | undefined;
  /** Values that the guest finds in fw_cfg. */
  readonly fwCfg?: readonly FwCfg[] | undefined;
  /** Default: serial. */
  readonly console?: ConsoleKind | undefined;
}

/** How a boot runs and what ends it. Times are in seconds; 0 means never. */
export interface RunOptions {
  /** Literal text, or a pattern, that the console shall show. The boot ends when it does. */
  readonly expect?: string | RegExp | undefined;
  /** Default: 600 when a text is expected, else never. */
  readonly timeout?: number | undefined;
  /** How long the console may be silent. Default when a text is expected: 60, and 180 without acceleration; else never. */
  readonly stall?: number | undefined;
  /** How long a writable guest has to power off when the text was seen, and again when its power button was pressed. Default: 10. */
  readonly grace?: number | undefined;
  /** Bytes of the console as they come. */
  readonly onConsole?: ((bytes: Uint8Array) => void) | undefined;
  /** Lines for the user, such as which accelerator was chosen. */
  readonly onNote?: ((line: string) => void) | undefined;
  /** What is typed into the console. */
  readonly input?: AsyncIterable<Uint8Array | string> | undefined;
  /** Ends the boot early. */
  readonly signal?: AbortSignal | undefined;
}

/** All that {@link boot} can be told. */
export type BootOptions = MachineOptions & RunOptions;
