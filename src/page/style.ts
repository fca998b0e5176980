// How the page of `fsynth inspect --html` looks.

/** Colours of the uses that formats name, each in light and dark. Related uses have related ones. */
const COLOURS: Readonly<Record<string, readonly [light: string, dark: string]>> = {
  file: ["#2f7fd1", "#4a97e6"],
  directory: ["#e8930c", "#f0a63a"],
  symlink: ["#c7b200", "#d9c63c"],
  map: ["#7b5bd6", "#9a80ec"],
  xattrs: ["#c0489f", "#d96abb"],
  journal: ["#8a6a45", "#ab8a63"],
  inodes: ["#1f9d74", "#35b78c"],
  superblock: ["#b3122a", "#e4475c"],
  descriptors: ["#d9576b", "#ee8091"],
  "reserved-descriptors": ["#e9a3ae", "#8f4a56"],
  "resize-inode": ["#d98796", "#a95f6d"],
  "block-bitmap": ["#7d1d6e", "#c24fb0"],
  "inode-bitmap": ["#a4479a", "#dc84d2"],
  "group-header": ["#7d1d6e", "#c24fb0"],
  summary: ["#d9576b", "#ee8091"],
  boot: ["#5f6673", "#9aa3b2"],
  quota: ["#4f7f80", "#72a9aa"],
  "orphan-file": ["#6d8f3c", "#94b862"],
  "multi-mount": ["#38657a", "#6795ac"],
  "bad-blocks": ["#000000", "#ffffff"],
  unowned: ["#3d3d3d", "#d0d0d0"],
  free: ["#e3e6ea", "#2b3036"],
  headers: ["#7b5bd6", "#9a80ec"],
  padding: ["#e3e6ea", "#2b3036"],
  archive: ["#2f7fd1", "#4a97e6"],
  "compressed archive": ["#1f9d74", "#35b78c"],
};

/** For uses that have none above. */
const OTHERS: readonly (readonly [light: string, dark: string])[] = [
  ["#4f7f80", "#72a9aa"],
  ["#6d8f3c", "#94b862"],
  ["#8a6a45", "#ab8a63"],
  ["#5f6673", "#9aa3b2"],
];

/** The style sheet; use number N has the colour `--use-N`. */
export function pageStyle(uses: readonly string[]): string {
  const colours = (which: 0 | 1): string =>
    uses
      .map((use, i) => {
        const colour = Object.hasOwn(COLOURS, use) ? COLOURS[use] : OTHERS[i % OTHERS.length];
        return `--use-${i}:${colour?.[which] ?? "gray"}`;
      })
      .join(";");
  return `
:root{color-scheme:light dark;--paper:#fff;--ink:#1b1f24;--faint:#5b6470;--line:#d5dae0;--raised:#f6f7f9;${colours(0)}}
@media (prefers-color-scheme:dark){:root{--paper:#15181c;--ink:#e6e9ed;--faint:#9aa3ae;--line:#343a42;--raised:#1d2126;${colours(1)}}}
*{box-sizing:border-box}
body{margin:0 auto;padding:1.5rem;max-width:88rem;background:var(--paper);color:var(--ink);font:15px/1.45 system-ui,sans-serif}
h1{font-size:1.5rem;margin:0;overflow-wrap:anywhere}h2{font-size:1.1rem;margin:1.8rem 0 .6rem}h3{font-size:.95rem;margin:1.2rem 0 .4rem}
header p,footer,.note,#where{color:var(--faint);margin:.2rem 0}footer{margin-top:2rem;font-size:.85rem}
.bar{display:flex;height:1.6rem;border-radius:3px;overflow:hidden;background:var(--line)}.bar i{flex-basis:0;min-width:1px}
.legend{display:flex;flex-wrap:wrap;gap:.35rem;margin-top:.6rem}
button{font:inherit;color:inherit;background:var(--raised);border:1px solid var(--line);border-radius:4px;padding:.15rem .5rem;cursor:pointer}
button:hover,button[aria-pressed=true]{border-color:var(--ink)}
.legend i{display:inline-block;width:.8rem;height:.8rem;margin-right:.35rem;border-radius:2px;vertical-align:-1px;border:1px solid var(--line)}
.tools{display:flex;flex-wrap:wrap;gap:.4rem 1rem;align-items:center;margin-bottom:.5rem}.tools span button{margin-right:.2rem;min-width:2rem}
input{font:inherit;color:inherit;background:var(--paper);border:1px solid var(--line);border-radius:4px;padding:.15rem .4rem;width:18rem;max-width:60vw}
canvas{display:block;width:100%;cursor:crosshair}canvas:focus-visible{outline:2px solid var(--faint);outline-offset:2px}
#detail{min-height:1.45em;overflow-wrap:anywhere}
#tip{position:fixed;z-index:1;max-width:34rem;padding:.3rem .5rem;border:1px solid var(--line);border-radius:4px;background:var(--raised);font-size:.85rem;overflow-wrap:anywhere;pointer-events:none}
.columns{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(26rem,100%),1fr));gap:0 2.5rem}
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.15rem .5rem .15rem 0;border-bottom:1px solid var(--line);vertical-align:top;overflow-wrap:anywhere}
th{font-weight:600;color:var(--faint)}.facts th{white-space:nowrap;width:1%;padding-right:1.2rem}.n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
.wide{overflow-x:auto}.wide th,.wide td{white-space:nowrap;padding-left:.5rem}.use{width:30%;min-width:12rem}.use .bar{height:.9rem;margin-top:.25rem}
.chips{list-style:none;display:flex;flex-wrap:wrap;gap:.3rem;margin:0;padding:0}.chips li{border:1px solid var(--line);border-radius:1rem;padding:0 .6rem;background:var(--raised)}
a{color:inherit}
`;
}
