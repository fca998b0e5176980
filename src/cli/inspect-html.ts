// The page of `fsynth inspect --html`: one file that needs nothing else, no network, and works in light and dark.

import type { Inspection, Volume } from "../image/volume.ts";
import { blockMap } from "../page/block-map.ts";
import { pageStyle } from "../page/style.ts";
import { amount } from "./progress.ts";
import { type FileSpace, type SpaceMap, spaceMap } from "./space-map.ts";

/** Groups that are listed. */
const GROUPS_SHOWN = 512;

/** The page for `volume`; `name` is what it is called, in the spelling of the command line. */
export function inspectionPage(name: string, volume: Volume): string {
  const inspection = volume.inspect();
  const map = spaceMap(volume.usage(), inspection);
  const { uses } = map.data;
  // Markup cannot start within a script's data: "<" is spelled otherwise there.
  const data = JSON.stringify(map.data).replaceAll("<", "\\u003c");
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>${text(name)} - ${text(inspection.format)}</title>
<style>${pageStyle(uses)}</style>
</head>
<body>
<header>
<h1>${text(name)}</h1>
<p>${text(inspection.format)}, ${amount(inspection.size)} (${inspection.size} bytes)</p>
</header>
<main>
${spaceSection(inspection, uses)}
${mapSection(map)}
<div class="columns">
${factsSection(inspection)}
${filesSection(inspection, map)}
</div>
${groupsSection(inspection, map)}
</main>
<footer>Made by fsynth inspect --html. This page loads nothing.</footer>
<script type="application/json" id="data">${data}</script>
<script>(${blockMap.toString()})(JSON.parse(document.getElementById("data").textContent));</script>
</body>
</html>
`;
}

/** As text of the page, or within the quotes of an attribute. */
function text(value: string | number | boolean): string {
  return String(value)
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll("\u{fffd}", "&#xfffd;");
}

function percent(part: number, whole: number): string {
  return `${((part / Math.max(whole, 1)) * 100).toFixed(1)} %`;
}

/** Parts of a whole, as one bar. */
function bar(parts: readonly (readonly [use: number, bytes: number])[], label: string): string {
  const total = parts.reduce((sum, [, bytes]) => sum + bytes, 0);
  const pieces = parts
    .filter(([, bytes]) => bytes > 0)
    .map(
      ([use, bytes]) =>
        `<i style="flex-grow:${((bytes / Math.max(total, 1)) * 1000).toFixed(2)};background:var(--use-${use})"></i>`,
    );
  return `<div class="bar" role="img" aria-label="${text(label)}">${pieces.join("")}</div>`;
}

function spaceSection({ space, size }: Inspection, uses: readonly string[]): string {
  const parts = space.map(({ use, bytes }) => [uses.indexOf(use), bytes] as const);
  const label = space.map(({ use, bytes }) => `${use} ${percent(bytes, size)}`).join(", ");
  const buttons = space.map(
    ({ use, bytes }) =>
      `<button type="button" data-use="${uses.indexOf(use)}" aria-pressed="false"><i style="background:var(--use-${uses.indexOf(use)})"></i>${text(use)} <b>${amount(bytes)}</b> ${percent(bytes, size)}</button>`,
  );
  return `<section>
<h2>What takes the space</h2>
${bar(parts, label)}
<div class="legend">${buttons.join("\n")}</div>
</section>`;
}

function mapSection({ joined }: SpaceMap): string {
  const note =
    joined > 0 ? `<p class="note">Runs shorter than ${amount(joined)} are drawn together with their neighbours.</p>` : "";
  const button = (move: string, label: string, sign: string): string =>
    `<button type="button" id="move-${move}" aria-label="${label}" title="${label}">${sign}</button>`;
  return `<section>
<h2>Where it lies</h2>
<div class="tools">
<span>${button("in", "nearer", "+")}${button("out", "farther", "−")}${button("all", "all of the image", "all")}${button("back", "towards the start", "←")}${button("on", "towards the end", "→")}</span>
<label>path <input id="search" type="search" spellcheck="false" autocomplete="off"></label> <output id="found" for="search"></output>
<span id="where"></span>
</div>
<canvas id="map" tabindex="0" role="img" aria-label="Map of the image's blocks by use; keys + - 0 and arrows move it"></canvas>
<p id="detail" aria-live="polite">Point at a block to see whose it is; click to keep it here, double-click to come nearer.</p>
${note}
<div id="tip" hidden></div>
</section>`;
}

function factsSection({ facts, features }: Inspection): string {
  const rows = Object.entries(facts).map(
    ([name, value]) => `<tr><th scope="row">${text(name)}</th><td>${text(value === "" ? "none" : value)}</td></tr>`,
  );
  const chips = features.map((feature) => `<li>${text(feature)}</li>`);
  return `<section>
<h2>Geometry</h2>
<table class="facts">${rows.join("\n")}</table>
${chips.length > 0 ? `<h3>Features</h3><ul class="chips">${chips.join("")}</ul>` : ""}
</section>`;
}

function filesSection({ fragmentation }: Inspection, { largest, mostFragmented }: SpaceMap): string {
  const { files, fragmented, runs } = fragmentation;
  const sentence =
    files === 0
      ? "There are no files with data."
      : `${files} files with data lie in ${runs} runs; ${fragmented} (${percent(fragmented, files)}) in more than one.`;
  return `<section>
<h2>Files</h2>
<p>${sentence}</p>
${fileTable("Largest", largest)}
${fileTable("Most fragmented", mostFragmented)}
</section>`;
}

function fileTable(title: string, files: readonly FileSpace[]): string {
  if (files.length === 0) return "";
  const rows = files.map(
    ({ path, bytes, runs }) =>
      `<tr><td><a href="#path=${text(encodeURIComponent(path))}">${text(path)}</a></td><td class="n">${amount(bytes)}</td><td class="n">${runs}</td></tr>`,
  );
  return `<h3>${title}</h3>
<table><thead><tr><th>path</th><th class="n">in the image</th><th class="n">runs</th></tr></thead><tbody>${rows.join("\n")}</tbody></table>`;
}

function groupsSection({ groups }: Inspection, map: SpaceMap): string {
  if (groups.length === 0) return "";
  const shown = groups.slice(0, GROUPS_SHOWN);
  const names = Object.keys(shown[0] ?? {});
  const rows = shown.map((group, i) => {
    const parts = (map.groups[i] ?? []).map((bytes, use) => [use, bytes] as const).sort((a, b) => b[1] - a[1]);
    const label = parts.filter(([, bytes]) => bytes > 0).map(([use, bytes]) => `${map.data.uses[use]} ${amount(bytes)}`);
    const cells = names.map((name) => `<td class="n">${group[name] ?? ""}</td>`);
    return `<tr><td class="use">${parts.length > 0 ? bar(parts, label.join(", ")) : ""}</td>${cells.join("")}</tr>`;
  });
  const rest = groups.length - shown.length;
  return `<section>
<h2>Groups</h2>
<div class="wide"><table><thead><tr><th>use</th>${names.map((name) => `<th class="n">${text(name)}</th>`).join("")}</tr></thead><tbody>${rows.join("\n")}</tbody></table></div>
${rest > 0 ? `<p class="note">And ${rest} more, which fsynth inspect --json has.</p>` : ""}
</section>`;
}
