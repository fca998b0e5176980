// `fsynth/serve`: images that need not exist, as network block devices and by HTTP. For Node, Bun and Deno.

export type { ServeEvent } from "./nbd.ts";
export { type ImageServer, type ServeOptions, serveImage } from "./server.ts";
export { storedImage } from "./stored-image.ts";
