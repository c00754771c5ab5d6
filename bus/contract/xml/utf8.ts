/** Is this UTF-8? (RFC 3629 §4: no overlong forms, no surrogates, nothing above U+10FFFF.) Looks at the bytes and makes no string of them. */
export function isUtf8(bytes: Uint8Array): boolean {
  const { length } = bytes;
  let at = 0;
  while (at < length) {
    const first = bytes[at++] ?? 0;
    if (first < 0x80) continue;
    const more = first < 0xc2 ? 0 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : first < 0xf5 ? 3 : 0;
    if (more === 0 || at + more > length) return false;
    const second = bytes[at++] ?? 0;
    if (second < leastSecond(first) || second > mostSecond(first)) return false;
    for (let left = more - 1; left > 0; left--) if (((bytes[at++] ?? 0) & 0xc0) !== 0x80) return false;
  }
  return true;
}

/** After E0 and F0 lower ones would be overlong. */
function leastSecond(first: number): number {
  return first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
}

/** After ED higher ones would be surrogates, after F4 above U+10FFFF. */
function mostSecond(first: number): number {
  return first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
}
