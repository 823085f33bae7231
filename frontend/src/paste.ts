/**
 * Pasted text is data: it must not end its own brackets, press keys or start anything.
 *
 * Clipboards hold what other pages put there. An ESC in it could end a bracketed paste early, so that a shell runs the
 * rest, and Ctrl-C or Ctrl-D would act on the program.
 */

/** All control characters of ISO 6429 (C0, DEL, C1) but tab and line ends. */
const CONTROLS = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]/g;

/** U+2400 and what follows show C0 controls as pictures; U+2421 shows DEL; C1 controls have none. */
function picture(control: string): string {
  const code = control.charCodeAt(0);
  if (code < 0x20) return String.fromCharCode(0x2400 + code);
  return code === 0x7f ? '\u2421' : '\ufffd';
}

/** `text` with every control character but tab and line ends replaced by a visible one. */
export function harmless(text: string): string {
  return text.replace(CONTROLS, picture);
}

/** What surrounds a paste where the program asked for it (xterm's control sequences, bracketed paste mode). */
const BEGIN = new TextEncoder().encode('\x1b[200~');
const END = new TextEncoder().encode('\x1b[201~');

/** Where pastes with brackets lie in the input, by byte offset. */
export class Pastes {
  private ranges: { readonly from: number; readonly to: number }[] = [];

  /** Notes `data`, typed or pasted at `offset`; forgets what ended before `acked`. */
  note(data: Uint8Array, offset: number, acked: number): void {
    if (data.length < BEGIN.length + END.length || !BEGIN.every((byte, at) => data[at] === byte)) return;
    this.ranges = this.ranges.filter(({ to }) => to > acked);
    this.ranges.push({ from: offset, to: offset + data.length });
  }

  /** What ends the paste that a program is left in if nothing from `offset` on arrives; `null` if it is in none. */
  ending(offset: number): Uint8Array | null {
    const open = this.ranges.find(({ from, to }) => from < offset && offset < to);
    if (open === undefined) return null;
    // A bracket that was cut in two is completed.
    const begun = BEGIN.subarray(Math.min(offset - open.from, BEGIN.length));
    const ended = END.subarray(Math.max(0, END.length - (open.to - offset)));
    return Uint8Array.from([...begun, ...ended]);
  }

  restart(): void {
    this.ranges = [];
  }
}
