// All records of one byte order.

import { type ByteOrder, scalarsOf } from "../../../src/bytes/struct.ts";
import { cylinderTable, summaryTable } from "./cylinder.ts";
import { dinode1Table, dinode2Table } from "./dinode.ts";
import { direntTable } from "./dirent.ts";
import { extattrTable } from "./extattr.ts";
import { superblockTable } from "./superblock.ts";

function make(order: ByteOrder) {
  const scalars = scalarsOf(order);
  const pointer1 = new scalars.u32(0);
  const pointer2 = new scalars.i64(0);
  return {
    order,
    Superblock: superblockTable(scalars),
    Cylinder: cylinderTable(scalars),
    Summary: summaryTable(scalars),
    Dinode1: dinode1Table(scalars),
    Dinode2: dinode2Table(scalars),
    Dirent: direntTable(scalars),
    ExtAttr: extattrTable(scalars),
    /** A single 32-bit number: cluster counts, lengths of extended attributes, di_db of UFS1. */
    word: new scalars.u32(0),
    /** Block pointers by version. */
    pointer: { 1: pointer1, 2: pointer2 },
  };
}

export type FfsRecords = ReturnType<typeof make>;

const both = { little: make("little"), big: make("big") } as const;

export function ffsRecords(order: ByteOrder): FfsRecords {
  return both[order];
}
