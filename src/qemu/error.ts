// What can go wrong with a boot, each with a name of its own.

import { type ErrorCode, FsynthError } from "../error.ts";

/**
 * Why a machine could not be started, or did not come to the end that was asked for.
 *
 * Before the start: `no-qemu`, `no-kernel`, `no-modules`, `no-busybox`, `no-root`. Of a machine that ran: `init` (the
 * initramfs found no way on), `panic`, `stalled` (a silent console), `timeout`, `not-seen` (it ended before the expected text
 * came), `qemu` (QEMU itself failed), `interrupted`.
 */
export type BootFailure =
  | "no-qemu"
  | "no-kernel"
  | "no-modules"
  | "no-busybox"
  | "no-root"
  | "init"
  | "panic"
  | "stalled"
  | "timeout"
  | "not-seen"
  | "qemu"
  | "interrupted";

/** What the machine lacks or cannot do is `unsupported`; what it did is `io`. */
const FAMILY: Partial<Record<BootFailure, ErrorCode>> = {
  "no-qemu": "unsupported",
  "no-kernel": "unsupported",
  "no-modules": "unsupported",
  "no-busybox": "unsupported",
  "no-root": "unsupported",
};

/** An error of booting. `reason` tells the cases apart; `code` is the family, as of every error of fsynth. */
export class BootError extends FsynthError {
  /** Which of the cases this is. */
  readonly reason: BootFailure;
  /** Its `code` follows from `reason`. */
  constructor(reason: BootFailure, message: string, cause?: unknown) {
    super(FAMILY[reason] ?? "io", message, {}, cause === undefined ? {} : { cause });
    this.reason = reason;
  }
}
