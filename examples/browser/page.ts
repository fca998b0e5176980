// The page: files in, options, the image out. The work is done by the worker, whose text stands in the page.

import type { BuildRequest, FormOption, FormProfile, Reply } from "./messages.ts";

const element = <T extends HTMLElement>(id: string): T => document.getElementById(id) as T; // the page has them all
const files = element<HTMLInputElement>("files");
const profile = element<HTMLSelectElement>("profile");
const buildButton = element<HTMLButtonElement>("build");
const stopButton = element<HTMLButtonElement>("stop");
const progress = element<HTMLProgressElement>("progress");

/** In the order in which they are laid over each other. */
const layers: File[] = [];
let profiles: readonly FormProfile[] = [];
let common: readonly FormOption[] = [];
let busy = false;
/** What the image at work is made of. */
let asked: BuildRequest | undefined;
/** Where the last image can be saved from. */
let saved: string | undefined;

const code = URL.createObjectURL(new Blob([element("worker").textContent ?? ""], { type: "text/javascript" }));
let worker = startWorker();

function startWorker(): Worker {
  const started = new Worker(code);
  started.addEventListener("message", ({ data }: MessageEvent<Reply>) => receive(data));
  started.addEventListener("error", ({ message }) => fail(message));
  return started;
}

/** Ends the build at work: with its worker, as nothing else would be heard while it plans. */
function stop(): void {
  worker.terminate();
  worker = startWorker();
  busy = false;
  showState("stopped");
}

function receive(reply: Reply): void {
  if (reply.kind === "ready") {
    // A worker that took the place of a stopped one says the same, and the form keeps what was typed.
    if (profiles.length > 0) return;
    ({ profiles, common } = reply);
    profile.replaceChildren(...profiles.map(({ name }) => new Option(name, name, name === "ext4", name === "ext4")));
    profile.disabled = false;
    element("common").replaceChildren(...common.map(field));
    showProfile();
  } else if (reply.kind === "progress") {
    progress.value = reply.total > 0 ? reply.done / reply.total : 0;
  } else if (reply.kind === "error") fail(reply.sentence);
  else showImage(reply);
}

function chosen(): FormProfile | undefined {
  return profiles.find(({ name }) => name === profile.value);
}

let shownFormat: string | undefined;
function showProfile(): void {
  const now = chosen();
  if (!now) return;
  element("summary").textContent = now.summary;
  element("named").textContent = now.name;
  // Profiles of one format share their options, and what was typed stays.
  if (shownFormat !== now.format) element("own").replaceChildren(...now.options.map(field));
  shownFormat = now.format;
  showState();
}

/** One option as a labelled field. */
function field(option: FormOption): HTMLElement {
  const input = document.createElement("input");
  const label = document.createElement("label");
  const help = document.createElement("small");
  const box = document.createElement("div");
  input.id = `option-${option.name}`;
  input.type = option.kind === "switch" ? "checkbox" : option.kind === "files" ? "file" : "text";
  if (option.kind === "switch") {
    input.checked = option.on;
    label.append(input, ` ${option.flag}`);
    box.append(label);
  } else {
    input.placeholder = option.metavar;
    input.autocomplete = "off";
    input.spellcheck = false;
    label.append(option.flag, input);
    box.append(label);
  }
  help.id = `${input.id}-help`;
  help.textContent =
    option.defaultText === "" || option.kind === "switch" ? option.help : `${option.help} Default: ${option.defaultText}.`;
  if (option.repeats) help.textContent += " Several with spaces between them.";
  input.setAttribute("aria-describedby", help.id);
  box.append(help);
  return box;
}

/** What was given, by API name: text as on the command line. */
async function given(): Promise<Record<string, unknown>> {
  const values: Record<string, unknown> = {};
  for (const { name, kind, on, repeats } of [...(chosen()?.options ?? []), ...common]) {
    const input = element<HTMLInputElement>(`option-${name}`);
    if (kind === "switch") {
      if (input.checked !== on) values[name] = input.checked;
    } else if (kind === "files") {
      const file = input.files?.[0];
      if (file) values[name] = new Uint8Array(await file.arrayBuffer());
    } else if (input.value !== "") values[name] = repeats ? input.value.trim().split(/\s+/) : input.value;
  }
  return values;
}

function showLayers(): void {
  const rows = layers.map((file, i) => {
    const row = document.createElement("li");
    const name = document.createElement("span");
    name.textContent = file.name;
    const size = document.createElement("small");
    size.textContent = `${file.size.toLocaleString("en")} bytes`;
    const remove = document.createElement("button");
    remove.type = "button";
    remove.textContent = "remove";
    remove.setAttribute("aria-label", `remove ${file.name}`);
    remove.addEventListener("click", () => {
      layers.splice(i, 1);
      showLayers();
    });
    row.append(name, size, remove);
    return row;
  });
  element("layers").replaceChildren(...rows);
  showState();
}

function addFiles(list: FileList | null | undefined): void {
  layers.push(...(list ?? []));
  showLayers();
}

function showState(text = ""): void {
  buildButton.disabled = busy || layers.length === 0 || profiles.length === 0;
  progress.hidden = !busy;
  stopButton.hidden = !busy;
  element("state").textContent = text;
}

function fail(sentence: string): void {
  busy = false;
  element("error").textContent = sentence;
  showState();
}

function showImage(reply: Extract<Reply, { kind: "image" }>): void {
  busy = false;
  const { blob, sha256, uuid, seconds, warnings, problems, map } = reply;
  if (saved !== undefined) URL.revokeObjectURL(saved);
  saved = URL.createObjectURL(blob);
  const download = document.createElement("a");
  const stem = (asked?.layers[0]?.name ?? "image").replace(/\.(tar|tgz|cpio|txt|img)?(\.(gz|zst))?$/, "");
  download.id = "download";
  download.className = "main";
  download.href = saved;
  download.download = `${stem}.${asked?.profile ?? "img"}`;
  download.textContent = `Download ${download.download}`;
  element("save").replaceChildren(download);
  const facts: [string, string][] = [
    ["size", `${blob.size.toLocaleString("en")} bytes`],
    ["sha256", sha256],
    ["uuid", uuid ?? "none"],
    ["check", problems.length === 0 ? "clean" : problems.join("\n")],
    ...warnings.map((warning): [string, string] => ["warning", warning]),
  ];
  const rows = facts.map(([name, value]) => {
    const row = document.createElement("tr");
    const head = document.createElement("th");
    const cell = document.createElement("td");
    head.scope = "row";
    head.textContent = name;
    cell.textContent = value;
    if (name !== "warning") cell.id = `fact-${name}`;
    row.append(head, cell);
    return row;
  });
  element("facts").replaceChildren(...rows);
  element<HTMLIFrameElement>("map").srcdoc = map;
  element("result").hidden = false;
  showState(`made in ${seconds.toFixed(2)} s`);
}

async function build(): Promise<void> {
  busy = true;
  element("error").textContent = "";
  element("result").hidden = true;
  progress.value = 0;
  showState("making it …");
  asked = { layers: [...layers], profile: profile.value, options: await given() };
  worker.postMessage(asked);
}

stopButton.addEventListener("click", stop);
profile.addEventListener("change", showProfile);
files.addEventListener("change", () => {
  addFiles(files.files);
  files.value = "";
});
element("form").addEventListener("submit", (event) => {
  event.preventDefault();
  if (!buildButton.disabled) build().catch((error: unknown) => fail(String(error)));
});
const drop = element("drop");
addEventListener("dragover", (event) => {
  event.preventDefault();
  drop.classList.add("over");
});
addEventListener("dragleave", () => drop.classList.remove("over"));
addEventListener("drop", (event) => {
  event.preventDefault();
  drop.classList.remove("over");
  const folders = [...(event.dataTransfer?.items ?? [])]
    .map((item) => item.webkitGetAsEntry())
    .filter((entry) => entry?.isDirectory)
    .map((entry) => entry?.name);
  if (folders.length > 0) fail(`${folders.join(", ")}: a folder cannot be dropped; drop a tar of it`);
  else addFiles(event.dataTransfer?.files);
});
