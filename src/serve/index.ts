/**
 * Serves images that need not exist, as network block devices (the NBD project's doc/proto.md) and by HTTP (RFC 9110, ranges). For
 * Node, Bun and Deno.
 *
 * @example
 * ```ts
 * import { buildExt4, Tree } from "fsynth";
 * import { serveImage } from "fsynth/serve";
 * const server = await serveImage(buildExt4(new Tree()), { port: 0, protocol: "http" });
 * const magic = await fetch(server.uri, { headers: { range: "bytes=1080-1081" } });
 * console.log(new Uint8Array(await magic.arrayBuffer())); // 0x53, 0xef
 * await server.close();
 * ```
 *
 * @packageDocumentation
 */

export type { ServeEvent } from "./event.ts";
export { type ImageServer, type ServeOptions, serveImage } from "./server.ts";
export { storedImage } from "./stored-image.ts";
