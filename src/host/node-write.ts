// How much is written to a file at once.

/**
 * Bytes of one write, which ends where a multiple of it ends. A kernel whose page cache has large folios (that of ext4 from
 * Linux 6.16 on) takes a folio as long as the write, from memory that was perhaps never touched: on virtual machines a write of
 * 128 KiB and more was two to eight times slower.
 */
export const WRITE = 64 * 1024;
