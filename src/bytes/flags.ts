// Flag words whose bits carry names; an unknown bit is reported by its number, never ignored.

/** Names of the set bits of `word`, in the order of the bits; a bit without a name reads `0x<value>`. */
export function flagNames(names: Readonly<Record<string, number>>, word: number): string[] {
  const found: string[] = [];
  let rest = word;
  for (const [name, bit] of Object.entries(names)) {
    if ((word & bit) !== 0) {
      found.push(name);
      rest &= ~bit;
    }
  }
  for (let bit = 0; bit < 32; bit++) {
    if ((rest & (1 << bit)) !== 0) found.push(`0x${((1 << bit) >>> 0).toString(16)}`);
  }
  return found;
}
