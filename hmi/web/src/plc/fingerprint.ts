/** grouped sets a fingerprint in groups of four digits, to be compared aloud. */
export function grouped(hex: string): string {
  const digits = hex.replaceAll(":", "").toUpperCase();
  return digits.match(/.{1,4}/g)?.join(" ") ?? "";
}
