// The progress bar: on standard error, only on a terminal.

import type { Progress } from "../image/image.ts";

const WIDTH = 30;

/** Milliseconds between two drawings. */
const PAUSE = 80;

export interface Bar {
  update(progress: Progress): void;
  /** Takes the bar away. */
  clear(): void;
}

/** A bar for `label`; `undefined` where there is no terminal to draw it on. Colours as NO_COLOR (no-color.org) allows. */
export function progressBar(label: string): Bar | undefined {
  const terminal = process.stderr;
  if (!terminal.isTTY || process.env.TERM === "dumb") return undefined;
  const [colour, plain] = process.env.NO_COLOR ? ["", ""] : ["\x1b[32m", "\x1b[39m"];
  const started = performance.now();
  let last = started;
  let drawn = false;
  const clear = (): void => {
    if (drawn) terminal.write("\r\x1b[K");
    drawn = false;
    process.off("exit", clear);
  };
  return {
    update({ done, total }) {
      const now = performance.now();
      if (now - last < PAUSE || total === 0) return;
      last = now;
      if (!drawn) process.on("exit", clear);
      drawn = true;
      const filled = Math.floor((done / total) * WIDTH);
      const bar = `${colour}${"█".repeat(filled)}${plain}${"░".repeat(WIDTH - filled)}`;
      const speed = done / ((now - started) / 1000);
      const line = ` ${bar} ${String(Math.floor((done / total) * 100)).padStart(3)}% ${amount(done)} of ${amount(total)}, ${amount(speed)}/s`;
      // A terminal that does not know its width says 0.
      const room = (terminal.columns || 80) - (line.length - colour.length - plain.length) - 1;
      const name = label.length <= room ? label : room > 1 ? `…${label.slice(label.length - room + 1)}` : "";
      terminal.write(`\r${name}${line}\x1b[K`);
    },
    clear,
  };
}

/** Bytes for a person to read: `340.5 MiB`. */
export function amount(bytes: number): string {
  let value = bytes;
  let unit = 0;
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB"];
  for (; value >= 1024 && unit < units.length - 1; unit++) value /= 1024;
  return unit === 0 ? `${Math.round(value)} bytes` : `${value.toFixed(1)} ${units[unit]}`;
}
