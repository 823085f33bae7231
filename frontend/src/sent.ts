/**
 * Input that was sent and that the program's terminal may not have taken, numbered by bytes.
 *
 * It is kept until the server acknowledges it, so that it can be sent again. Knows nothing of sockets.
 */

export class SentInput {
  /** Everything before this offset was taken. */
  acked = 0;
  bytes = 0;
  private kept: Uint8Array[] = [];

  /** The number of the next byte. */
  get end(): number {
    return this.acked + this.bytes;
  }

  /** Keeps `data`; returns the number of its first byte. */
  add(data: Uint8Array): number {
    const offset = this.end;
    this.kept.push(data);
    this.bytes += data.length;
    return offset;
  }

  /** The terminal took everything before `offset`. Returns `false` if so much was never sent. */
  ack(offset: number): boolean {
    if (offset > this.end) return false;
    while (this.acked < offset) {
      const first = this.kept[0];
      if (first === undefined) break;
      const part = Math.min(first.length, offset - this.acked);
      this.acked += part;
      this.bytes -= part;
      if (part === first.length) this.kept.shift();
      else this.kept[0] = first.subarray(part);
    }
    return true;
  }

  /** The server has everything before `offset`: takes out what it does not have, to be sent again. */
  takeFrom(offset: number): Uint8Array[] {
    const again: Uint8Array[] = [];
    let at = this.acked;
    const kept = this.kept;
    this.kept = [];
    this.bytes = 0;
    for (const piece of kept) {
      const cut = Math.min(piece.length, Math.max(0, offset - at));
      if (cut > 0) this.add(piece.subarray(0, cut));
      if (cut < piece.length) again.push(piece.subarray(cut));
      at += piece.length;
    }
    return again;
  }

  /** The server has forgotten this page and numbers from `offset` on. */
  restart(offset: number): void {
    this.kept = [];
    this.bytes = 0;
    this.acked = offset;
  }

  /** Its pieces, oldest first. */
  pieces(): readonly Uint8Array[] {
    return this.kept;
  }
}
