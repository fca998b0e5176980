// The block map in the page of `fsynth inspect --html`. This function runs in the browser: its text is put into the page, so
// that it uses nothing but its parameter and what every browser has.

import type { PageData } from "./data.ts";

/** Draws the map, and answers pointer, keyboard, legend, search and the address (`#at=OFFSET`, `#path=PATH`). */
export function blockMap(data: PageData): void {
  const { unit, uses, paths, runs, groups } = data;
  const count = runs.length / 3;
  const starts = new Float64Array(count + 1);
  for (let i = 0; i < count; i++) starts[i + 1] = (starts[i] ?? 0) + (runs[3 * i] ?? 0);
  const total = Math.max(starts[count] ?? 0, 1);

  const GUTTER = 84;
  const ROW = 14;
  const ROWS = 40;
  const element = <T extends HTMLElement>(id: string): T => document.getElementById(id) as T; // the page has them all
  const canvas = element<HTMLCanvasElement>("map");
  const detail = element("detail");
  const where = element("where");
  const search = element<HTMLInputElement>("search");
  const found = element("found");
  const tip = element("tip");
  let first = 0;
  let span = total;
  let lit: number | undefined; // the use that is shown alone
  let wanted: Uint8Array | undefined; // paths that are searched for
  let picked = -1;

  const amount = (bytes: number): string => {
    const names = ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let value = bytes;
    let i = 0;
    for (; value >= 1024 && i < names.length - 1; i++) value /= 1024;
    return i === 0 ? `${value} bytes` : `${value.toFixed(1)} ${names[i]}`;
  };
  /** The run that holds a unit. */
  const runAt = (at: number): number => {
    let low = 0;
    let high = count;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if ((starts[middle] ?? 0) <= at) low = middle;
      else high = middle;
    }
    return low;
  };
  const pathOf = (run: number): string | undefined => paths[(runs[3 * run + 2] ?? 0) - 1];
  const useOf = (run: number): string => uses[runs[3 * run + 1] ?? 0] ?? "";
  const groupAt = (at: number): number => {
    let low = 0;
    let high = groups.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if ((groups[middle] ?? 0) <= at) low = middle;
      else high = middle;
    }
    return low;
  };
  const describe = (at: number): string => {
    const run = runAt(at);
    const from = starts[run] ?? 0;
    const length = runs[3 * run] ?? 0;
    const path = pathOf(run);
    const group = groups.length > 1 ? `group ${groupAt(at)}, ` : "";
    const units =
      data.unitName === "byte"
        ? ""
        : `, ${data.unitName}s ${from} to ${from + length - 1} (${group}${data.unitName} ${Math.floor(at)})`;
    return `${useOf(run)}${path === undefined ? "" : ` of ${path}`}: ${amount(length * unit)} from byte ${from * unit}${units}`;
  };

  const draw = (): void => {
    const style = getComputedStyle(document.documentElement);
    const colours = uses.map((_, i) => style.getPropertyValue(`--use-${i}`).trim());
    const ink = style.getPropertyValue("--ink").trim();
    const ratio = devicePixelRatio || 1;
    const width = canvas.clientWidth;
    const height = ROWS * ROW;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    canvas.style.height = `${height}px`;
    const pen = canvas.getContext("2d");
    if (!pen) return;
    pen.scale(ratio, ratio);
    pen.font = "11px ui-monospace, monospace";
    pen.textBaseline = "middle";
    const line = width - GUTTER;
    const scale = (ROWS * line) / span; // pixels of a unit, all rows being one line
    pen.fillStyle = ink;
    for (let row = 0; row < ROWS; row += 4) {
      const at = first + (row * span) / ROWS;
      const near = unit > 1 && span <= total / 64;
      const text = near ? `${data.unitName} ${Math.floor(at)}` : amount(Math.floor(at) * unit);
      pen.fillText(text, 0, row * ROW + ROW / 2, GUTTER - 8);
    }
    const bar = (from: number, to: number, least: number): void => {
      // From pixel to pixel over as many rows as it takes.
      let x = from;
      const end = Math.max(to, from + least);
      while (x < end) {
        const row = Math.floor(x / line + 1e-9);
        const stop = Math.min(end, (row + 1) * line);
        if (row >= ROWS || stop <= x) return;
        pen.fillRect(GUTTER + x - row * line, row * ROW + 1, stop - x, ROW - 3);
        x = stop;
      }
    };
    const last = first + span;
    const begin = runAt(first);
    // Runs that are narrower than a pixel come last, so that none is lost under its neighbours.
    for (const small of [false, true]) {
      for (let i = begin; i < count && (starts[i] ?? 0) < last; i++) {
        const from = Math.max(starts[i] ?? 0, first);
        const to = Math.min(starts[i + 1] ?? 0, last);
        const wide = (to - from) * scale;
        const use = runs[3 * i + 1] ?? 0;
        const empty = uses[use] === "free";
        if (wide < 1 !== small || (small && empty)) continue;
        const path = (runs[3 * i + 2] ?? 0) - 1;
        const dim = (lit !== undefined && use !== lit) || (wanted !== undefined && !(path >= 0 && wanted[path]));
        pen.globalAlpha = dim ? 0.12 : 1;
        pen.fillStyle = colours[use] ?? ink;
        const gap = wide >= 5 && !empty ? 1 : 0;
        bar((from - first) * scale, (to - first) * scale - gap, 1);
        if (i === picked) {
          pen.globalAlpha = 1;
          pen.fillStyle = ink;
          bar((from - first) * scale, (from - first) * scale + 2, 2);
          bar((to - first) * scale - 2, (to - first) * scale, 2);
        }
      }
    }
    pen.globalAlpha = 0.8;
    pen.fillStyle = ink;
    if (groups.length > 1 && (groups.length * span) / total < 400) {
      for (const start of groups) {
        if (start < first || start >= last || start === 0) continue;
        const x = (start - first) * scale;
        const row = Math.floor(x / line);
        pen.fillRect(GUTTER + x - row * line, row * ROW, 1, ROW);
      }
    }
    pen.globalAlpha = 1;
    where.textContent =
      span === total
        ? `all of the image, ${amount(total * unit)}; a row is ${amount((span / ROWS) * unit)}`
        : `bytes ${Math.floor(first) * unit} to ${Math.ceil(last) * unit - 1}; a row is ${amount((span / ROWS) * unit)}`;
    canvas.dataset.runs = String(count);
  };

  /** Shows `width` units around `middle`. */
  const show = (middle: number, width: number): void => {
    span = Math.min(total, Math.max(width, Math.min(ROWS, total)));
    first = Math.min(Math.max(0, middle - span / 2), total - span);
    draw();
  };
  const middle = (): number => first + span / 2;
  const pick = (at: number): void => {
    picked = runAt(at);
    detail.textContent = describe(at);
    draw();
  };
  /** The unit under the pointer. */
  const under = (event: MouseEvent): number | undefined => {
    const box = canvas.getBoundingClientRect();
    const x = event.clientX - box.left - GUTTER;
    const row = Math.floor((event.clientY - box.top) / ROW);
    const line = box.width - GUTTER;
    if (x < 0 || x >= line || row < 0 || row >= ROWS) return undefined;
    return Math.min(first + ((row + x / line) * span) / ROWS, total - 1e-6);
  };

  canvas.addEventListener("pointermove", (event) => {
    const at = under(event);
    tip.hidden = at === undefined;
    if (at === undefined) return;
    tip.textContent = describe(at);
    tip.style.left = `${Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8)}px`;
    tip.style.top = `${event.clientY + 18}px`;
  });
  canvas.addEventListener("pointerleave", () => {
    tip.hidden = true;
  });
  canvas.addEventListener("click", (event) => {
    const at = under(event);
    if (at !== undefined) pick(at);
  });
  canvas.addEventListener("dblclick", (event) => {
    const at = under(event);
    if (at !== undefined) show(at, span / 8);
  });
  const moves: Readonly<Record<string, () => void>> = {
    in: () => show(picked >= 0 ? (starts[picked] ?? 0) : middle(), span / 4),
    out: () => show(middle(), span * 4),
    all: () => show(0, total),
    back: () => show(middle() - span / 2, span),
    on: () => show(middle() + span / 2, span),
  };
  for (const [name, move] of Object.entries(moves)) element(`move-${name}`).addEventListener("click", move);
  const KEYS: Readonly<Record<string, string>> = { "+": "in", "-": "out", "0": "all", ArrowLeft: "back", ArrowRight: "on" };
  canvas.addEventListener("keydown", (event) => {
    const move = moves[KEYS[event.key] ?? ""];
    if (!move || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    move();
  });

  const legend = [...document.querySelectorAll<HTMLButtonElement>("button[data-use]")];
  for (const button of legend) {
    button.addEventListener("click", () => {
      const use = Number(button.dataset.use);
      lit = lit === use ? undefined : use;
      for (const other of legend) other.setAttribute("aria-pressed", String(Number(other.dataset.use) === lit));
      draw();
    });
  }

  const find = (text: string, exact: boolean): void => {
    wanted = undefined;
    found.textContent = "";
    if (text !== "") {
      const hits = new Uint8Array(paths.length);
      paths.forEach((path, i) => {
        hits[i] = Number(exact ? path === text : path.includes(text));
      });
      wanted = hits;
      const names = hits.reduce((sum, hit) => sum + hit, 0);
      let pieces = 0;
      let units = 0;
      let at = -1;
      for (let i = 0; i < count; i++) {
        if (!hits[(runs[3 * i + 2] ?? 0) - 1]) continue;
        if (at < 0) at = i;
        pieces++;
        units += runs[3 * i] ?? 0;
      }
      found.textContent = `${names} path${names === 1 ? "" : "s"}, ${pieces} run${pieces === 1 ? "" : "s"}, ${amount(units * unit)}`;
      if (names === 1 && at >= 0) {
        picked = at;
        detail.textContent = describe(starts[at] ?? 0);
      }
    }
    draw();
  };
  search.addEventListener("input", () => find(search.value, false));

  const follow = (): void => {
    const hash = decodeURIComponent(location.hash.slice(1));
    const at = /^at=(\d+)$/.exec(hash);
    if (at && Number(at[1]) < data.size) {
      const place = Math.min(Number(at[1]) / unit, total - 1e-6);
      picked = runAt(place);
      detail.textContent = describe(place);
      show(place, total / 64);
    } else if (hash.startsWith("path=")) {
      search.value = hash.slice(5);
      find(search.value, true);
      canvas.scrollIntoView({ block: "center" });
    } else draw();
  };
  addEventListener("hashchange", follow);
  addEventListener("resize", draw);
  // In a frame that is laid out after it has loaded, no resize tells of the width.
  let width = canvas.clientWidth;
  new ResizeObserver(() => {
    if (canvas.clientWidth === width) return;
    width = canvas.clientWidth;
    draw();
  }).observe(canvas);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  follow();
}
