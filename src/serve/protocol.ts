// The messages of the NBD protocol as tables; names and numbers as in its specification, all numbers big-endian.
// Specification: https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md

import { raw, scalarsOf, struct } from "../bytes/struct.ts";

const { u16, u32, u64 } = scalarsOf("big");

/** What the server says first. */
export const greeting = struct("greeting", 18, { magic: [0, raw(8)], version: [8, raw(8)], flags: [16, u16] });

/** What starts every option of a client. */
export const optionHeader = struct("option", 16, { magic: [0, raw(8)], option: [8, u32], length: [12, u32] });

export const optionReply = struct("option reply", 20, {
  magic: [0, u64],
  option: [8, u32],
  type: [12, u32],
  length: [16, u32],
});

/** The answer to NBD_OPT_EXPORT_NAME; the zeros are left out by agreement. */
export const exportReply = struct("export", 134, { size: [0, u64], flags: [8, u16], zeroes: [10, raw(124)] });
/** Bytes of {@link exportReply} before its zeros. */
export const EXPORT_REPLY_SHORT = 10;

export const infoExport = struct("NBD_INFO_EXPORT", 12, { type: [0, u16], size: [2, u64], flags: [10, u16] });
export const infoBlockSize = struct("NBD_INFO_BLOCK_SIZE", 14, {
  type: [0, u16],
  minimum: [2, u32],
  preferred: [6, u32],
  maximum: [10, u32],
});

export const request = struct("request", 28, {
  magic: [0, u32],
  flags: [4, u16],
  type: [6, u16],
  cookie: [8, raw(8)],
  offset: [16, u64],
  length: [24, u32],
});

export const simpleReply = struct("simple reply", 16, { magic: [0, u32], error: [4, u32], cookie: [8, raw(8)] });

export const chunk = struct("structured reply chunk", 20, {
  magic: [0, u32],
  flags: [4, u16],
  type: [6, u16],
  cookie: [8, raw(8)],
  length: [16, u32],
});

/** In front of the data of NBD_REPLY_TYPE_OFFSET_DATA. */
export const offsetData = struct("OFFSET_DATA", 8, { offset: [0, u64] });
export const offsetHole = struct("OFFSET_HOLE", 12, { offset: [0, u64], size: [8, u32] });
/** In front of the text of NBD_REPLY_TYPE_ERROR. */
export const errorHead = struct("ERROR", 6, { error: [0, u32], length: [4, u16] });
export const extent = struct("extent", 8, { length: [0, u32], status: [4, u32] });

export const MAGIC = {
  nbd: "NBDMAGIC",
  option: "IHAVEOPT",
  optionReply: 0x3e889045565a9,
  request: 0x25609513,
  simpleReply: 0x67446698,
  chunk: 0x668e33ef,
} as const;

/** Handshake flags; a client answers with the same bits. */
export const Handshake = { FIXED_NEWSTYLE: 1, NO_ZEROES: 2 } as const;

export const Transmission = {
  HAS_FLAGS: 1 << 0,
  READ_ONLY: 1 << 1,
  SEND_FLUSH: 1 << 2,
  SEND_FUA: 1 << 3,
  SEND_TRIM: 1 << 5,
  SEND_WRITE_ZEROES: 1 << 6,
  SEND_DF: 1 << 7,
  CAN_MULTI_CONN: 1 << 8,
} as const;

export const Opt = {
  EXPORT_NAME: 1,
  ABORT: 2,
  LIST: 3,
  INFO: 6,
  GO: 7,
  STRUCTURED_REPLY: 8,
  LIST_META_CONTEXT: 9,
  SET_META_CONTEXT: 10,
} as const;

export const Rep = {
  ACK: 1,
  SERVER: 2,
  INFO: 3,
  META_CONTEXT: 4,
  ERR_UNSUP: 2 ** 31 + 1,
  ERR_INVALID: 2 ** 31 + 3,
  ERR_UNKNOWN: 2 ** 31 + 6,
  ERR_SHUTDOWN: 2 ** 31 + 7,
  ERR_TOO_BIG: 2 ** 31 + 9,
} as const;

export const Info = { EXPORT: 0, NAME: 1, BLOCK_SIZE: 3 } as const;

export const Cmd = {
  READ: 0,
  WRITE: 1,
  DISC: 2,
  FLUSH: 3,
  TRIM: 4,
  WRITE_ZEROES: 6,
  BLOCK_STATUS: 7,
} as const;

export const CmdFlag = { FUA: 1 << 0, NO_HOLE: 1 << 1, DF: 1 << 2, REQ_ONE: 1 << 3 } as const;

export const Reply = {
  NONE: 0,
  OFFSET_DATA: 1,
  OFFSET_HOLE: 2,
  BLOCK_STATUS: 5,
  ERROR: 2 ** 15 + 1,
} as const;

/** Of a structured reply chunk: the last one. */
export const DONE = 1;

/** Of base:allocation. */
export const State = { HOLE: 1, ZERO: 2 } as const;

export const Errno = { EPERM: 1, EIO: 5, EINVAL: 22, ENOSPC: 28, EOVERFLOW: 75, ESHUTDOWN: 108 } as const;

/** What the specification allows a text to be, bytes. */
export const LONGEST_TEXT = 4096;

/** The largest payload of a request or its reply, bytes: what clients may rely on. */
export const LARGEST_PAYLOAD = 32 << 20;

/** The least that can be asked for, and what is answered without making more than is asked for, bytes. */
export const BLOCK_SIZES = { minimum: 1, preferred: 4096, maximum: LARGEST_PAYLOAD } as const;

export const BASE_ALLOCATION = "base:allocation";
