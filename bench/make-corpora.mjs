#!/usr/bin/env node
// Makes the trees and archives that benchmarks and long tests read. Everything but the Debian packages themselves is
// generated from fixed seeds, so two machines with the same package versions get the same bytes.

import { spawnSync } from "node:child_process";
import { createCipheriv, createHash } from "node:crypto";
import * as fs from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";

const HELP = `usage: node bench/make-corpora.mjs [--out DIR] [--archives tar,gz,zst] [NAME...]

  --out DIR        where everything goes (default: corpora beside this script)
  --archives LIST  which archives of a Debian root to make (default tar,gz,zst; the other corpora are .tar only)
  NAME             any of the following (default: all but small)

  rescue   16 MB: one static binary under some 270 hard links, as many symlinks, more static programs, devices, a fifo
  base     370 MB: a Debian root of the essential packages, a few servers and tools, unpacked and never configured
  small    a Debian root of seven packages, with file capabilities, ACLs and user xattrs set as a system would have them
  many     120,000 small files in some 9,000 directories, in the shape of a node_modules folder
  big      one file of 2 GiB of noise, one of 8 GiB with 64 extents of data
  wide     one directory with 200,000 entries

Each NAME becomes the directory DIR/NAME and the archive DIR/NAME.tar (sorted, numeric owners, one fixed time). A corpus
whose archives are there is left alone. Needs Debian's apt-get and dpkg-deb (for rescue, base and small), GNU tar, gzip and
zstd. Without root there are no device nodes and everything belongs to the caller; a line on stderr says so.
`;

/** Every mtime: 2023-11-14 22:13:20 UTC. */
const TIME = 1_700_000_000;

const { values, positionals } = parseArgs({
  options: { out: { type: "string" }, archives: { type: "string" }, help: { type: "boolean", short: "h" } },
  allowPositionals: true,
});
const out = resolve(values.out ?? join(import.meta.dirname, "corpora"));
const archives = (values.archives ?? "tar,gz,zst").split(",");
const root = process.getuid?.() === 0;

function fail(sentence) {
  process.stderr.write(`make-corpora: ${sentence}\n`);
  process.exit(1);
}

/** Runs a program to its end; its output, when asked for, as text. */
function run(program, args, options = {}) {
  const done = spawnSync(program, args, {
    stdio: ["ignore", "pipe", "inherit"],
    maxBuffer: 64 << 20,
    ...options,
    env: { ...process.env, LC_ALL: "C", TZ: "UTC0" },
  });
  if (done.error) fail(`${program}: ${done.error.message}`);
  if (done.status !== 0) fail(`${program} ${args.slice(0, 4).join(" ")} ended with ${done.status ?? done.signal}`);
  return done.stdout === null ? "" : done.stdout.toString();
}

// ---- Debian packages: the data members only; no maintainer script runs.

const debs = join(out, "debs");

function debOf(name) {
  const found = fs.readdirSync(debs).filter((file) => file.startsWith(`${name}_`) && file.endsWith(".deb"));
  return found.length === 0 ? undefined : join(debs, found.sort().at(-1));
}

function fetchPackages(names) {
  fs.mkdirSync(debs, { recursive: true });
  const missing = names.filter((name) => debOf(name) === undefined);
  if (missing.length === 0) return;
  const sandbox = root ? ["-o", "APT::Sandbox::User=root"] : [];
  run("apt-get", ["-q", ...sandbox, "download", ...missing], { cwd: debs });
}

function unpack(names, into) {
  for (const name of names) {
    run("sh", ["-c", 'dpkg-deb --fsys-tarfile "$1" | tar -x -p --numeric-owner -C "$2"', "unpack", debOf(name), into]);
  }
}

/** All packages that an empty system would get with `wanted`; what this machine has installed plays no part. */
function closure(wanted) {
  const plan = run("apt-get", [
    "-o",
    "Dir::State::status=/dev/null",
    "-o",
    "APT::Install-Recommends=false",
    "-s",
    "install",
    ...wanted,
  ]);
  const names = [...plan.matchAll(/^Inst (\S+)/gm)].map((match) => String(match[1])).sort();
  if (names.length === 0) fail("apt-get knows no packages; expected its lists to be there (apt-get update)");
  return names;
}

// ---- Noise: AES-256-CTR of zeros under a small fixed key.

function noise(key, counter) {
  const digits = (value, length) => Buffer.from(String(value).padStart(length, "0"), "hex");
  return createCipheriv("aes-256-ctr", digits(key, 64), digits(counter, 32));
}

function writeNoise(file, at, length, cipher) {
  const zeros = Buffer.alloc(1 << 20);
  for (let done = 0; done < length; ) {
    const piece = cipher.update(zeros.subarray(0, Math.min(zeros.length, length - done)));
    fs.writeSync(file, piece, 0, piece.length, at + done);
    done += piece.length;
  }
}

// ---- The corpora. Each fills an empty directory.

function rescue(top) {
  const at = (...names) => join(top, ...names);
  const programs = ["busybox-static", "bash-static", "e2fsck-static", "sash", "zsh-static"];
  fetchPackages(programs);
  const unpacked = fs.mkdtempSync(join(out, ".rescue-"));
  unpack(programs, unpacked);
  for (const path of "bin sbin rescue etc/rc.d dev/pts dev/fd mnt proc sys tmp root usr/bin usr/sbin var/run".split(" ")) {
    fs.mkdirSync(at(path), { recursive: true });
  }
  fs.chmodSync(at("tmp"), 0o1777);
  fs.chmodSync(at("root"), 0o700);

  // One binary under many names, as in NetBSD's rescue.tgz, and the same names again as symlinks.
  install(join(unpacked, "bin/busybox"), at("rescue/busybox"), 0o555);
  for (const name of run(join(unpacked, "bin/busybox"), ["--list"]).trim().split("\n")) {
    if (name === "busybox") continue;
    fs.linkSync(at("rescue/busybox"), at("rescue", name));
    fs.symlinkSync(`../rescue/${name}`, at("bin", name));
  }
  for (const name of ["bash-static", "sash", "zsh-static", "e2fsck.static"]) {
    const places = ["bin", "sbin", "usr/bin", "usr/sbin"].map((directory) => join(unpacked, directory, name));
    install(
      places.find((path) => fs.existsSync(path)) ?? fail(`no program ${name} in the static packages`),
      at("sbin", name),
      0o755,
    );
    fs.linkSync(at("sbin", name), at("usr/sbin", name));
  }
  // Noise brings it to the size of a real rescue set.
  const firmware = fs.openSync(at("usr/bin/firmware.bin"), "w", 0o644);
  writeNoise(firmware, 0, 6 << 20, noise(3, 0));
  fs.closeSync(firmware);

  fs.writeFileSync(at("etc/passwd"), "root:x:0:0:root:/root:/rescue/sh\n");
  fs.writeFileSync(at("etc/group"), "root:x:0:\nwheel:x:10:\n");
  fs.writeFileSync(at("etc/shadow"), "root:*:19000:0:99999:7:::\n", { mode: 0o600 });
  fs.writeFileSync(at("etc/inittab"), "::sysinit:/etc/rc\n::respawn:/rescue/sh\n");
  fs.writeFileSync(at("etc/fstab"), "/dev/vda / ext2 rw 0 1\n");
  fs.writeFileSync(at("etc/rc"), "#!/rescue/sh\nmount -t proc proc /proc\n", { mode: 0o755 });
  for (let step = 1; step <= 40; step++) fs.writeFileSync(at("etc/rc.d", `step${step}`), `#!/rescue/sh\n# step ${step}\n`);
  fs.symlinkSync("../proc/self/mounts", at("etc/mtab"));
  fs.symlinkSync(`${"a-long-target/".repeat(8)}end`, at("etc/long-link")); // longer than the 59 bytes an ext inode holds

  run("mkfifo", ["-m", "600", at("dev/initctl")]);
  if (root) {
    const devices = ["600 console c 5 1", "666 null c 1 3", "666 zero c 1 5", "666 tty c 5 0", "666 random c 1 8"];
    devices.push("666 urandom c 1 9", "660 vda b 254 0", "660 vda1 b 254 1");
    for (let n = 0; n < 32; n++) devices.push(`620 tty${n} c 4 ${n}`);
    for (const [mode, name, ...rest] of devices.map((line) => line.split(" ")))
      run("mknod", ["-m", mode, at("dev", name), ...rest]);
  }
  fs.rmSync(unpacked, { recursive: true });
}

function install(from, to, mode) {
  fs.copyFileSync(from, to);
  fs.chmodSync(to, mode);
}

const BASE =
  "?essential apt perl python3-pip git openssh-server curl ca-certificates nginx-light vim systemd-sysv iproute2 tzdata e2fsprogs locales bash-completion";

function base(top) {
  const names = closure(BASE.split(" "));
  fetchPackages(names);
  unpack(["base-files", ...names.filter((name) => name !== "base-files")], top); // it brings the directories the others lie in
}

function small(top) {
  const names = ["base-files", "base-passwd", "bash", "e2fsprogs", "libc6", "tzdata", "iputils-ping"];
  fetchPackages(names);
  unpack(names, top);
  // What a configured system has and a package cannot carry.
  run("setfattr", ["-n", "user.origin", "-v", "fsynth corpus", join(top, "etc/debian_version")]);
  run("setfacl", ["-m", "u:1000:rwx,g:50:r-x", "-m", "d:u:1000:rwx", join(top, "var/local")]);
  // cap_net_raw=ep, version 2, as ping gets it.
  if (root)
    run("setfattr", ["-n", "security.capability", "-v", "0x0100000200200000000000000000000000000000", join(top, "bin/ping")]);
}

function many(top) {
  let state = 20240229;
  // xorshift on 32 bits.
  const random = (below) => {
    state = (state ^ (state << 13)) >>> 0;
    state = (state ^ (state >>> 17)) >>> 0;
    state = (state ^ (state << 5)) >>> 0;
    return state % below;
  };
  const words = [];
  for (let n = 0; n < 2000; n++) {
    let word = "";
    for (let letters = 2 + random(9); letters > 0; letters--) word += String.fromCharCode(97 + random(26));
    words.push(word);
  }
  const word = () => words[random(2000)];
  let prose = "";
  while (prose.length < (1 << 20) + 16384) prose += word() + (random(9) ? " " : random(3) ? ";\n" : " = {\n  ");
  const endings = ["js", "d.ts", "json", "md", "map", "mjs", "cjs", "h", "c", "txt"];
  let directory = "";
  let left = 0;
  let packages = 0;
  let depth = 0;
  for (let n = 1; n <= 120_000; n++) {
    if (left-- === 0) {
      if (depth === 0 || random(5) === 0) {
        packages++;
        depth = 0;
        directory = join(top, `${word()}-${word()}${packages}`);
      } else directory = join(directory, `${word()}${depth}`);
      depth++;
      fs.mkdirSync(directory);
      left = random(25);
    }
    const share = random(100);
    const length =
      share < 4 ? 0 : share < 50 ? random(1024) : share < 80 ? random(4096) : share < 95 ? random(8192) : random(16385);
    let text = "";
    if (length > 0) {
      const start = random(1 << 20);
      text = `// ${n}\n${prose.slice(start, start + length)}`.slice(0, length);
    }
    const file = join(directory, `${word()}${n}.${endings[random(10)]}`);
    fs.writeFileSync(file, text);
    if (random(50) === 0) fs.chmodSync(file, 0o755);
  }
}

function big(top) {
  const random = fs.openSync(join(top, "random.bin"), "w");
  writeNoise(random, 0, 2 ** 31, noise(1, 0));
  fs.closeSync(random);
  const sparse = fs.openSync(join(top, "sparse.img"), "w");
  fs.ftruncateSync(sparse, 2 ** 33);
  // 64 extents of 64 KiB, unevenly spread, none at the very end.
  for (let n = 0; n < 64; n++) writeNoise(sparse, (n * 32749 + (n % 7)) * 4096, 65536, noise(2, n));
  fs.closeSync(sparse);
}

function wide(top) {
  fs.mkdirSync(join(top, "d"));
  for (let n = 0; n < 200_000; n++) {
    // Names of 8 to 55 bytes; one file in eight has content.
    const name = `entry-${String(n).padStart(6, "0")}${"x".repeat(((n * 7919) % 1009) % 44)}`;
    fs.writeFileSync(join(top, "d", name), n % 8 === 0 ? `entry ${n}\n` : "");
  }
}

// ---- From a directory to archives.

const PAX = ["--format=posix", "--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime"];
const corpora = {
  rescue: { make: rescue, tar: ["--format=gnu"] },
  base: { make: base, tar: ["--format=gnu"], compressed: true },
  small: { make: small, tar: [...PAX, "--xattrs", "--xattrs-include=*"], compressed: true },
  many: { make: many, tar: ["--format=gnu"] },
  big: { make: big, tar: [...PAX, "--sparse"] },
  wide: { make: wide, tar: ["--format=gnu"] },
};

/** Gives everything below a directory, and itself at last, the one fixed time. */
function settle(path) {
  for (const entry of fs.readdirSync(path, { withFileTypes: true, encoding: "buffer" })) {
    const below = Buffer.concat([Buffer.from(path), Buffer.from("/"), entry.name]);
    if (entry.isDirectory()) settle(below);
    else fs.lutimesSync(below, TIME, TIME);
  }
  fs.lutimesSync(path, TIME, TIME);
}

/** Makes `path` by a command that writes to `$1`, under another name until it is whole. */
function produce(path, command, ...args) {
  if (fs.existsSync(path)) return;
  run("sh", ["-c", command, "produce", `${path}.part`, ...args]);
  fs.renameSync(`${path}.part`, path);
}

function make(name) {
  const corpus = corpora[name];
  const top = join(out, name);
  const tar = `${top}.tar`;
  if (!fs.existsSync(tar)) {
    process.stderr.write(`making ${name}\n`);
    for (const stale of [top, `${tar}.gz`, `${tar}.zst`]) fs.rmSync(stale, { recursive: true, force: true });
    fs.mkdirSync(top, { recursive: true });
    fs.chmodSync(top, 0o755);
    corpus.make(top);
    settle(top);
    const owners = root ? [] : ["--owner=0", "--group=0"];
    const shape = ["--sort=name", "--numeric-owner", `--mtime=@${TIME}`, ...owners, ...corpus.tar];
    produce(tar, 'to=$1; shift; tar "$@" -cf "$to"', ...shape, "-C", top, ".");
  }
  if (corpus.compressed && archives.includes("gz")) produce(`${tar}.gz`, 'gzip -n -6 <"$2" >"$1"', tar);
  if (corpus.compressed && archives.includes("zst")) produce(`${tar}.zst`, 'zstd -q -3 -T1 <"$2" >"$1"', tar);
  for (const file of [tar, `${tar}.gz`, `${tar}.zst`]) {
    if (fs.existsSync(file)) process.stdout.write(`${sha256(file)}  ${file.slice(out.length + 1)}\n`);
  }
}

function sha256(path) {
  const hash = createHash("sha256");
  const file = fs.openSync(path, "r");
  const buffer = Buffer.alloc(1 << 20);
  for (let length = fs.readSync(file, buffer); length > 0; length = fs.readSync(file, buffer))
    hash.update(buffer.subarray(0, length));
  fs.closeSync(file);
  return hash.digest("hex");
}

if (values.help) {
  process.stdout.write(HELP);
  process.exit(0);
}
const wanted = positionals.length > 0 ? positionals : ["rescue", "base", "many", "big", "wide"];
for (const name of wanted)
  if (!Object.hasOwn(corpora, name)) fail(`no corpus "${name}"; there are ${Object.keys(corpora).join(", ")}`);
for (const kind of archives) if (!["tar", "gz", "zst"].includes(kind)) fail(`no archive "${kind}"; there are tar, gz, zst`);
process.umask(0o022);
fs.mkdirSync(out, { recursive: true });
if (!root) process.stderr.write("make-corpora: not root: no device nodes, and everything in the directories belongs to you\n");
for (const name of wanted) make(name);
if (fs.existsSync(debs)) {
  // What rescue, base and small were made of: their sums compare only between machines where this file is the same.
  const packages = fs.readdirSync(debs).filter((file) => file.endsWith(".deb"));
  const versions = packages.map((file) => run("dpkg-deb", ["-f", join(debs, file), "Package", "Version"]));
  const lines = versions.map((fields) => fields.replace(/^Package: (.*)\nVersion: (.*)\n$/, "$1=$2\n"));
  fs.writeFileSync(join(out, "packages.txt"), lines.sort().join(""));
}
