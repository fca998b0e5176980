// Times as text: seconds since 1970-01-01 UTC as a decimal number, at most nine digits behind the point, as pax
// archives write them. The fraction belongs to the number: -1.5 is half a second before -1.

import type { Time } from "./node.ts";

/** `1700000000`, `1700000000.000000001`, `-0.5`. */
export function formatTime({ sec, nsec }: Time): string {
  if (nsec === 0) return String(sec);
  const negative = sec < 0;
  const whole = negative ? -(sec + 1) : sec;
  const digits = String(negative ? 1_000_000_000 - nsec : nsec).padStart(9, "0");
  return `${negative ? "-" : ""}${whole}.${digits.replace(/0+$/, "")}`;
}

/** The time behind such a number; `undefined` when it is none, or more than whole nanoseconds or 2^53 seconds. */
export function parseTime(text: string): Time | undefined {
  const match = /^(-?)(\d+)(?:\.(\d{1,9}))?$/.exec(text);
  if (!match) return undefined;
  const whole = Number(match[2]);
  const nsec = Number((match[3] ?? "").padEnd(9, "0"));
  if (!Number.isSafeInteger(whole)) return undefined;
  if (match[1] === "") return { sec: whole, nsec };
  return nsec === 0 ? { sec: whole === 0 ? 0 : -whole, nsec } : { sec: -whole - 1, nsec: 1_000_000_000 - nsec };
}
