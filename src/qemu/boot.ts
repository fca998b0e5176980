// One boot from its start to its end.

import type { Duplex } from "node:stream";
import type { Image } from "../index.ts";
import { serveConnection } from "../serve/connection.ts";
import type { Choice } from "./accelerator.ts";
import { qemuArguments } from "./arguments.ts";
import { Console } from "./console.ts";
import { BootError, type BootFailure } from "./error.ts";
import type { BootOptions, RunOptions } from "./options.ts";
import { type Prepared, prepareBoot } from "./prepare.ts";
import { startLeashed } from "./process.ts";
import { Qmp } from "./qmp.ts";

/** The descriptor of the machine protocol in QEMU. */
const QMP = 3;

/** How long QEMU has for `quit`, ms. */
const QUIT_LIMIT = 3000;

/** How long a machine may go on after it said why it will not, ms: what it still writes is shown. */
const LAST_WORDS = 2000;

/** When things happened, in ms since QEMU was asked for; undefined for what did not. */
export interface Marks {
  /** QEMU runs. */
  readonly started?: number;
  /** The first byte on the console. */
  readonly console?: number;
  /** The first program of the guest runs. */
  readonly init?: number;
  /** The expected text was there. */
  readonly expected?: number;
  /** QEMU was gone. */
  readonly ended?: number;
}

/** What became of a boot. */
export interface BootResult {
  /**
   * `expected`: the text was seen. `poweroff`, `reset`: the guest ended, and no text was expected. The rest are failures, of
   * which `error` tells more.
   */
  readonly reason: "expected" | "poweroff" | "reset" | BootFailure;
  /** Whether the expected text was seen. */
  readonly seen: boolean;
  /** How the machine went: by itself, by its power button, by `quit`, or killed. */
  readonly stopped: "guest" | "powerdown" | "quit" | "killed";
  /** All that the console showed; of more than 64 MiB the end. */
  readonly console: string;
  /** When things happened. */
  readonly marks: Marks;
  /** What it ran on, and why. */
  readonly accelerator: Choice;
  /** Set for failures: one sentence, and the code that `reason` has. */
  readonly error: BootError | undefined;
}

/**
 * Boots a machine under QEMU and waits for its end. The machine never outlives this process.
 *
 * Throws {@link BootError} where it cannot be started (no QEMU, no kernel, no modules, no busybox, nothing to boot), and
 * FsynthError `usage` for options that do not fit. A guest that fails is no exception: `reason` and `error` of the result tell.
 *
 * @example
 * ```ts no-run
 * import { boot } from "fsynth/qemu";
 * const { seen, marks } = await boot({ root: "root.ext4", expect: "login:", timeout: 60 });
 * ```
 */
export async function boot(options: BootOptions): Promise<BootResult> {
  const prepared = await prepareBoot(options, options.onNote);
  try {
    return await runMachine(prepared, options);
  } finally {
    prepared.close();
  }
}

/**
 * Boots what was prepared, once.
 *
 * @example
 * ```ts no-run
 * import { prepareBoot, runMachine } from "fsynth/qemu";
 * const prepared = await prepareBoot({ root: "root.ext4", memory: 256 });
 * for (let i = 0; i < 5; i++) console.log((await runMachine(prepared, { expect: "login:" })).marks);
 * prepared.close();
 * ```
 */
export async function runMachine(prepared: Prepared, options: RunOptions): Promise<BootResult> {
  return await new Run(prepared, options).result();
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

class Run {
  readonly #prepared: Prepared;
  readonly #options: RunOptions;
  readonly #console: Console;
  readonly #began = performance.now();
  readonly #marks: Mutable<Marks> = {};
  readonly #vm: ReturnType<typeof startLeashed>;
  readonly #qmp: Qmp;
  readonly #timers = new Set<NodeJS.Timeout>();
  #watchdog: NodeJS.Timeout | undefined;
  #errors = "";
  #failure: { readonly reason: BootFailure; readonly message: string } | undefined;
  /** Why the guest ended, in QEMU's words. */
  #shutdown: string | undefined;
  #stopped: BootResult["stopped"] | undefined;
  #deciding = true;

  constructor(prepared: Prepared, options: RunOptions) {
    this.#prepared = prepared;
    this.#options = options;
    this.#console = new Console(options.expect);
    const args = qemuArguments(prepared.spec, { qmpDescriptor: QMP });
    const { descriptors } = prepared;
    this.#vm = startLeashed(
      prepared.qemu,
      args,
      descriptors.map((one) => (typeof one === "number" ? one : "socket")),
    );
    this.#serve(descriptors.filter((one) => typeof one !== "number"));
    this.#mark("started");
    this.#qmp = new Qmp(this.#vm.socket, ({ event, data }) => {
      if (event === "SHUTDOWN") this.#shutdown = String(data.reason);
    });
  }

  async result(): Promise<BootResult> {
    const { signal, input, expect, timeout = expect === undefined ? 0 : 600 } = this.#options;
    const vm = this.#vm;
    vm.output.on("data", (bytes: Uint8Array) => this.#hear(bytes));
    vm.errors.on("data", (bytes: Uint8Array) => {
      this.#errors += new TextDecoder().decode(bytes);
    });
    if (timeout > 0) this.#after(timeout * 1000, () => this.#fail("timeout", `the time of ${timeout} s is over`));
    this.#rearm();
    const abort = (): void => this.#fail("interrupted", "it was interrupted");
    if (signal?.aborted) abort();
    signal?.addEventListener("abort", abort);
    if (input) void this.#type(input);
    try {
      const { status, signal: killed } = await vm.ended;
      this.#mark("ended");
      return this.#told(status, killed);
    } catch (cause) {
      throw new BootError(
        "qemu",
        `${this.#prepared.qemu} cannot be run: ${cause instanceof Error ? cause.message : String(cause)}`,
        cause,
      );
    } finally {
      this.#deciding = false;
      vm.kill();
      for (const timer of this.#timers) clearTimeout(timer);
      clearTimeout(this.#watchdog);
      signal?.removeEventListener("abort", abort);
    }
  }

  /** What the guest reads of its disks is made while it runs. */
  #serve(images: readonly Image[]): void {
    const told = new Set<string>();
    images.forEach((image, i) => {
      serveConnection(image, this.#vm.connections[i] as Duplex, ({ kind, message }) => {
        if (kind !== "failed" || told.has(message)) return;
        told.add(message);
        this.#options.onNote?.(`the guest gets an I/O error: ${message}`);
      });
    });
  }

  #mark(what: keyof Marks): void {
    this.#marks[what] ??= performance.now() - this.#began;
  }

  #after(ms: number, work: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      work();
    }, ms);
    this.#timers.add(timer);
  }

  #hear(bytes: Uint8Array): void {
    this.#options.onConsole?.(bytes);
    this.#rearm();
    for (const sign of this.#console.feed(bytes)) {
      if (sign.kind === "first") this.#mark("console");
      else if (sign.kind === "init") this.#mark("init");
      else if (sign.kind === "expected") this.#reached();
      else if (sign.kind === "panic") this.#fail("panic", sign.line, LAST_WORDS);
      else this.#fail("init", sign.line, LAST_WORDS);
    }
  }

  /** The text is there. A guest that writes to its disks is not cut off. */
  #reached(): void {
    if (!this.#deciding) return;
    this.#deciding = false;
    this.#mark("expected");
    clearTimeout(this.#watchdog);
    if (!this.#prepared.spec.disks.some(({ writable }) => writable)) {
      this.#quit("quit");
      return;
    }
    const grace = (this.#options.grace ?? 10) * 1000;
    this.#after(grace, () => {
      this.#stopped = "powerdown";
      this.#qmp.execute("system_powerdown");
      this.#after(grace, () => this.#quit("quit"));
    });
  }

  #fail(reason: BootFailure, message: string, patience = 0): void {
    if (!this.#deciding) return;
    this.#deciding = false;
    this.#failure = { reason, message };
    if (patience > 0) this.#after(patience, () => this.#quit("quit"));
    else this.#quit("quit");
  }

  #quit(how: "quit" | "killed"): void {
    this.#stopped = how;
    if (how === "killed") {
      this.#vm.kill();
      return;
    }
    this.#qmp.execute("quit");
    this.#after(QUIT_LIMIT, () => this.#quit("killed"));
  }

  /** The watchdog: each byte on the console buys time. */
  #rearm(): void {
    clearTimeout(this.#watchdog);
    const { expect, stall = expect === undefined ? 0 : this.#prepared.accelerator.name === "tcg" ? 180 : 60 } = this.#options;
    if (stall === 0 || !this.#deciding) return;
    this.#watchdog = setTimeout(() => this.#fail("stalled", `the console was silent for ${stall} s`), stall * 1000);
  }

  async #type(input: AsyncIterable<Uint8Array | string>): Promise<void> {
    for await (const chunk of input) {
      if (!this.#vm.input.writable) return;
      this.#vm.input.write(chunk);
    }
  }

  #told(status: number | null, killed: NodeJS.Signals | null): BootResult {
    const { expect } = this.#options;
    const seen = this.#marks.expected !== undefined;
    const guest = this.#shutdown?.startsWith("guest-") === true;
    const base = { seen, console: this.#console.text, marks: this.#marks, accelerator: this.#prepared.accelerator };
    const stopped = this.#stopped ?? (guest || status === 0 ? "guest" : "killed");
    const failed = (reason: BootFailure, message: string): BootResult => {
      const lines = this.#console.lastLines(8);
      const shown = lines === "" ? "; the console said nothing" : `; the console's last lines:\n${lines.replaceAll(/^/gm, "  ")}`;
      // These two are themselves the line that matters.
      const error = new BootError(reason, reason === "panic" || reason === "init" ? message : message + shown);
      return { reason, stopped, ...base, error };
    };
    if (seen) return { reason: "expected", stopped, ...base, error: undefined };
    if (this.#failure) return failed(this.#failure.reason, this.#failure.message);
    if (status !== 0) {
      const said = this.#errors.trim();
      return failed("qemu", `QEMU ended with ${killed ?? `exit status ${status}`}${said === "" ? "" : `: ${said}`}`);
    }
    if (expect !== undefined) {
      const what = typeof expect === "string" ? `"${expect}"` : String(expect);
      return failed("not-seen", `the guest ended before the console showed ${what}`);
    }
    return { reason: this.#shutdown === "guest-reset" ? "reset" : "poweroff", stopped, ...base, error: undefined };
  }
}
