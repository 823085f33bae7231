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
