/**
 * The clipboard, which programs may write with OSC 52 (xterm's control sequences, "Manipulate Selection Data") and
 * never read.
 */

/** Limit of one copy by a program, in base64. */
export const COPY_LIMIT = 4 * 1024 * 1024;

/** The selections that stand for the clipboard: CLIPBOARD, and SELECT, which is configurable. None means SELECT. */
const CLIPBOARD = /[cs]/;

/** What a program copies with this payload of OSC 52; `null` if it asks for the clipboard or writes something else. */
export function copiedText(payload: string): string | null {
  const at = payload.indexOf(';');
  const targets = payload.slice(0, at);
  const data = payload.slice(at + 1);
  if (at < 0 || data === '' || data.length > COPY_LIMIT || (targets !== '' && !CLIPBOARD.test(targets))) return null;
  try {
    return new TextDecoder().decode(Uint8Array.from(atob(data), (character) => character.charCodeAt(0)));
  } catch {
    // Not base64, as the `?` of a query.
    return null;
  }
}

/** Copies by the browser's copy command, which insecure contexts have too, inside a handler of a key or a click. */
function copyByCommand(text: string): boolean {
  const set = (event: ClipboardEvent): void => {
    event.preventDefault();
    event.stopImmediatePropagation();
    event.clipboardData?.setData('text/plain', text);
  };
  document.addEventListener('copy', set, true);
  try {
    return document.execCommand('copy');
  } finally {
    document.removeEventListener('copy', set, true);
  }
}

export class ClipboardWriter {
  /** Waits for a key or a click, without which some browsers allow no writing. */
  private waiting: string | null = null;

  constructor(private readonly hint: (text: string) => void) {
    for (const type of ['keydown', 'pointerup']) document.addEventListener(type, () => void this.retry(), true);
  }

  /** Writes what a program copied, and tells the user. */
  async write(text: string): Promise<void> {
    this.waiting = null;
    if (await this.tried(text)) return;
    this.waiting = text;
    this.hint('A program wants to copy text; it is copied with your next key or click');
  }

  private async retry(): Promise<void> {
    const text = this.waiting;
    if (text === null) return;
    this.waiting = null;
    if (copyByCommand(text)) this.told(text);
    else if (!(await this.tried(text))) this.hint('Not copied: the browser does not allow it');
  }

  private async tried(text: string): Promise<boolean> {
    // Only secure contexts have a clipboard API.
    if (navigator.clipboard === undefined) return false;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      return false;
    }
    this.told(text);
    return true;
  }

  private told(text: string): void {
    this.hint(`A program copied ${[...text].length} characters to the clipboard`);
  }
}
