// Every header of cpio archives, for people, with the names behind them and what lies between members.

import { escapeName } from "../../src/bytes/names.ts";
import { viewOf } from "../../src/bytes/struct.ts";
import { type ImageRecord, type RecordTable, recordAt } from "../../src/image/records.ts";
import type { ImageBytes } from "../../src/image/volume.ts";
import { Window } from "../../src/image/window.ts";
import { binaryBe, binaryLe, newc, odc, TRAILER } from "./disk/headers.ts";
import { variantOf } from "./header.ts";
import { type ArchiveBytes, readMembers } from "./read.ts";

/** By the first two bytes: a word of the old binary form, or text. */
function tableOf(head: Uint8Array): RecordTable {
  switch (variantOf(head)?.name) {
    case "odc":
      return odc;
    case "binary":
      return head[0] === 0x71 ? binaryBe : binaryLe;
    default:
      return newc;
  }
}

function headerAt(bytes: ArchiveBytes, offset: number, what: string): ImageRecord {
  const table = tableOf(bytes.view(offset, 6));
  const length = table === newc ? newc.size : table === odc ? odc.size : binaryLe.size;
  return recordAt(table, viewOf(bytes.view(offset, length)), 0, {
    offset,
    what,
    spelled: { c_mode: (mode) => (mode === 0 ? 0 : `0${mode.toString(8)}`) },
  });
}

/** All headers in their order. Throws what reading throws. */
export function cpioRecords(image: ImageBytes): ImageRecord[] {
  const window = new Window(image.size, (offset, target) => image.readAt(offset, target));
  const bytes: ArchiveBytes = { size: image.size, view: (offset, length) => window.view(offset, length) };
  const records: ImageRecord[] = [];
  const end = readMembers(bytes, 0, "cpio", {
    onMember({ offset, path, data, size, target }) {
      records.push(headerAt(bytes, offset, escapeName(path)));
      if (target !== "") records.push({ offset: data, what: "target", depth: 1, fields: { target: escapeName(target) } });
      else if (size > 0) records.push({ offset: data, what: "data", depth: 1, fields: { bytes: size } });
    },
    onArchiveEnd(offset) {
      if (offset !== undefined) records.push(headerAt(bytes, offset, TRAILER));
    },
    onWarning() {},
  });
  records.push({ offset: end, what: end === image.size ? "end" : "something that is no member", fields: {} });
  return records;
}
