/**
 * Whole characters out of output that is cut anywhere.
 *
 * A frame ends where a read of the PTY ended, also inside a character, and xterm.js 6.0.0 loses a character that is cut
 * behind a byte 0x80 (xtermjs/xterm.js#6003): dashes, quotes, bullets, CJK punctuation, the zero width joiner.
 */

const NOTHING = new Uint8Array();

/** The number of bytes that a character has which begins with `lead` (RFC 3629, section 3); 1 if none does. */
function lengthOf(lead: number): number {
  if (lead >= 0xc2 && lead <= 0xdf) return 2;
  if (lead >= 0xe0 && lead <= 0xef) return 3;
  return lead >= 0xf0 && lead <= 0xf4 ? 4 : 1;
}

/** The number of bytes at the end of `data` that only begin a character. */
function unfinished(data: Uint8Array): number {
  for (let back = 1; back <= Math.min(3, data.length); back++) {
    const byte = data[data.length - back] ?? 0;
    if ((byte & 0xc0) !== 0x80) return lengthOf(byte) > back ? back : 0;
  }
  return 0;
}

/** Holds at most three bytes. Bytes that are no UTF-8 pass unchanged. */
export class CharacterJoiner {
  private held = NOTHING;

  /** What is complete now, in order. */
  join(data: Uint8Array): Uint8Array {
    let whole = data;
    if (this.held.length > 0) {
      whole = new Uint8Array(this.held.length + data.length);
      whole.set(this.held);
      whole.set(data, this.held.length);
    }
    const rest = unfinished(whole);
    // A copy, so that three bytes do not keep a frame alive.
    this.held = rest === 0 ? NOTHING : whole.slice(whole.length - rest);
    return rest === 0 ? whole : whole.subarray(0, whole.length - rest);
  }

  /** Forgets the beginning of a character whose end will not come. */
  clear(): void {
    this.held = NOTHING;
  }
}
