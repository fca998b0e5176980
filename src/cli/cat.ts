// `fsynth cat`: the content of files in an image.

import { host } from "#host";
import { FsynthError } from "../error.ts";
import { newCommand, parse } from "./command.ts";
import { usage } from "./failure.ts";
import { nodeArgument, openArgument } from "./volume.ts";

const HELP = `
IMAGE is any image that fsynth opens; - is standard input. Symlinks are followed inside the image. In paths, \\xNN stands for a byte.

Examples:
  fsynth cat root.ext4 /etc/os-release
  fsynth cat root.ext4.gz /boot/vmlinuz > vmlinuz`;

/** Bytes read and written at once. */
const WINDOW = 1 << 20;

/** Runs `fsynth cat`; gives the exit status. */
export async function catCommand(args: readonly string[]): Promise<number> {
  const command = newCommand("cat", "IMAGE PATH...", "Writes files in an image to standard output.").addHelpText("after", HELP);
  if (!(await parse(command, args))) return 0;
  const [image, ...paths] = command.args;
  if (image !== undefined && paths.length === 0) throw usage("no PATH given: a file in the image");
  const volume = await openArgument(image);
  // All of them are looked up first: a name that is wrong leaves no half of the output.
  const contents = paths.map((path) => {
    const { kind, id } = nodeArgument(volume, path, true);
    if (kind === "file") return volume.content(id);
    throw new FsynthError("source", `"${path}": a ${kind}, expected a file`, { path, format: volume.format });
  });
  const outlet = await host.files.openOutlet(1);
  const window = new Uint8Array(WINDOW);
  for (const content of contents) {
    for (let at = 0; at < content.size; at += WINDOW) {
      const bytes = window.subarray(0, Math.min(WINDOW, content.size - at));
      await content.read(at, bytes);
      await outlet.write(bytes);
    }
  }
  outlet.close();
  return 0;
}
