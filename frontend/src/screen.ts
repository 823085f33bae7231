/**
 * xterm.js as this page uses it: add-ons, size, clipboard, shortcuts. Knows nothing of connections.
 */

import { FitAddon } from '@xterm/addon-fit';
import { WebLinksAddon } from '@xterm/addon-web-links';
import { WebglAddon } from '@xterm/addon-webgl';
import { Terminal } from '@xterm/xterm';

import { copiedText } from './clipboard';
import type { Screen as ConnectionScreen, Size } from './connection';
import { CursorBlink } from './cursor';
import { guardSequences } from './guards';
import type { Origin } from './outbox';
import { harmless } from './paste';
import type { Settings } from './settings';
import { DARK, LIGHT } from './themes';
import { UNICODE_WIDTHS } from './widths';

const FONTS = "ui-monospace, 'SF Mono', 'Cascadia Mono', 'JetBrains Mono', Menlo, Consolas, 'DejaVu Sans Mono', 'Liberation Mono', monospace";
const SCROLLBACK_LINES = 10_000;
/**
 * Minimum contrast: xterm.js changes text colours that have less. Programs choose colours for a dark background, so on
 * a light one the minimum is that of WCAG 2.2, 1.4.3; on a dark one it only prevents invisible text.
 */
const CONTRAST = { light: 4.5, dark: 2.5 } as const;

/** Without progress for this long after an error, drawing is taken for dead. xterm.js yields every 12 ms. */
const DEAD_AFTER_MS = 500;
const OSC_CLIPBOARD = 52;

/** What the terminal reports to the page. */
export interface ScreenEvents {
  typed(data: string, origin: Origin): void;
  typedBinary(data: string, origin: Origin): void;
  resized(): void;
  titleChanged(title: string): void;
  menuRequested(): void;
  /** A program copies text to the clipboard. */
  copied(text: string): void;
  /** Drawing ended with an error; the terminal has been replaced by an empty one. */
  died(): void;
}

export class Screen implements ConnectionScreen {
  renderer: 'webgl' | 'dom' = 'dom';
  /** Whether another viewer set the size. */
  foreign = false;
  /** The largest size that the server accepts. */
  limits: Size = { cols: 500, rows: 200 };
  private terminal: Terminal;
  private fitAddon = new FitAddon();
  private readonly cursor: CursorBlink;
  private readonly dark = matchMedia('(prefers-color-scheme: dark)');
  private settings: Settings;
  private framePending = false;
  private isSizeFixed = false;
  /** The window's size when the terminal was fitted to it last. */
  private fittedWindow = `${innerWidth}x${innerHeight}`;
  /** Writes that are not drawn yet, and all that are. */
  private undrawn = 0;
  private drawn = 0;

  constructor(
    private readonly parent: HTMLElement,
    settings: Settings,
    private readonly events: ScreenEvents,
  ) {
    this.settings = settings;
    this.cursor = new CursorBlink(parent);
    this.terminal = this.created({});
    // Before `watch`, because the first size is not a change.
    this.fit();
    this.listen();
    this.watch();
  }

  get size(): Size {
    return { cols: this.terminal.cols, rows: this.terminal.rows };
  }

  write(data: Uint8Array | string, drawn: () => void): void {
    const { terminal } = this;
    this.undrawn += 1;
    terminal.write(data, () => {
      if (terminal !== this.terminal) return;
      this.undrawn -= 1;
      this.drawn += 1;
      drawn();
    });
  }

  focus(): void {
    this.terminal.focus();
  }

  /** Fits the terminal to this window. */
  fit(): void {
    this.setForeign(false);
    const size = this.fitting();
    if (size !== null) this.resizeTo(size);
  }

  /** Uses a size that another viewer set: until this window is resized or typed in, or with `keep` permanently. */
  adopt(size: Size, keep: boolean): void {
    this.isSizeFixed = keep;
    if (!keep && size.cols === this.terminal.cols && size.rows === this.terminal.rows) return;
    this.resizeTo(size);
    const own = this.fitting();
    this.setForeign(keep || size.cols !== own?.cols || size.rows !== own.rows);
  }

  apply(settings: Settings): void {
    this.settings = settings;
    const dark = settings.theme === 'auto' ? this.dark.matches : settings.theme === 'dark';
    document.documentElement.dataset['theme'] = dark ? 'dark' : 'light';
    const changesFont = this.terminal.options.fontSize !== settings.fontSize;
    this.terminal.options = {
      theme: dark ? DARK : LIGHT,
      minimumContrastRatio: dark ? CONTRAST.dark : CONTRAST.light,
      fontSize: settings.fontSize,
      screenReaderMode: settings.screenReader,
    };
    if (changesFont && !this.isSizeFixed) this.fit();
  }

  /** The active buffer as text, scrollback included; a wrapped line is one line. */
  text(): string {
    const buffer = this.terminal.buffer.active;
    const lines: string[] = [];
    for (let at = 0; at < buffer.length; at++) {
      const row = buffer.getLine(at);
      if (row === undefined) continue;
      const continued = buffer.getLine(at + 1)?.isWrapped === true;
      const text = row.translateToString(!continued);
      if (row.isWrapped && lines.length > 0) lines[lines.length - 1] += text;
      else lines.push(text);
    }
    return lines.join('\n').trimEnd();
  }

  /** A terminal in the page, of which nothing is listened to yet. */
  private created(size: Partial<Size>): Terminal {
    const terminal = new Terminal({
      ...size,
      allowProposedApi: true,
      cursorBlink: !matchMedia('(prefers-reduced-motion: reduce)').matches,
      fontFamily: FONTS,
      fontSize: this.settings.fontSize,
      lineHeight: 1.15,
      macOptionClickForcesSelection: true,
      scrollback: SCROLLBACK_LINES,
    });
    this.terminal = terminal;
    this.apply(this.settings);
    terminal.open(this.parent);
    this.loadAddons();
    guardSequences(terminal);
    return terminal;
  }

  /** Replaces a terminal that draws nothing any more. */
  private renew(): void {
    const dead = this.terminal;
    const hadFocus = this.parent.contains(document.activeElement);
    this.undrawn = 0;
    this.renderer = 'dom';
    this.fitAddon = new FitAddon();
    try {
      dead.dispose();
    } catch {
      // It failed before, so it may fail again; its elements are removed below.
    }
    this.parent.replaceChildren();
    this.created({ cols: dead.cols, rows: dead.rows });
    this.listen();
    if (hadFocus) this.focus();
    this.events.died();
  }

  private loadAddons(): void {
    this.terminal.loadAddon(this.fitAddon);
    this.terminal.loadAddon(
      new WebLinksAddon((_event, address) => {
        window.open(address, '_blank', 'noopener,noreferrer');
      }),
    );
    this.terminal.unicode.register(UNICODE_WIDTHS);
    this.terminal.unicode.activeVersion = UNICODE_WIDTHS.version;
    this.loadWebgl();
  }

  private loadWebgl(): void {
    if (!hasHardwareWebgl()) return;
    try {
      const webgl = new WebglAddon();
      webgl.onContextLoss(() => {
        webgl.dispose();
        this.renderer = 'dom';
      });
      this.terminal.loadAddon(webgl);
      this.renderer = 'webgl';
    } catch {
      // No WebGL 2: xterm.js continues with its DOM renderer.
      this.renderer = 'dom';
    }
  }

  private listen(): void {
    const { terminal, events } = this;
    terminal.onData((data) => {
      this.cursor.restart();
      events.typed(data, originOf(data));
    });
    terminal.onCursorMove(() => this.cursor.restart());
    terminal.onBinary((data) => events.typedBinary(data, originOf(data)));
    terminal.onResize(() => events.resized());
    terminal.onTitleChange((title) => events.titleChanged(title));
    terminal.attachCustomKeyEventHandler((event) => this.shortcut(event));
    terminal.parser.registerOscHandler(OSC_CLIPBOARD, (payload) => {
      const text = copiedText(payload);
      if (text !== null) events.copied(text);
      return true;
    });
  }

  /** Listens to the page, for this terminal and those that replace it. */
  private watch(): void {
    new ResizeObserver(() => this.fitSoon()).observe(this.parent);
    this.parent.addEventListener('focusin', () => this.cursor.restart());
    this.dark.addEventListener('change', () => this.apply(this.settings));
    this.parent.addEventListener('paste', (event) => this.paste(event, event.clipboardData?.getData('text/plain')), true);
    this.parent.addEventListener('beforeinput', (event) => this.inserted(event), true);
    addEventListener('error', () => this.checkDrawing());
  }

  /** Pastes in place of xterm.js, which passes on every control character (xtermjs/xterm.js#5716). */
  private paste(event: Event, text: string | undefined): void {
    event.preventDefault();
    event.stopPropagation();
    if (text !== undefined && text !== '') this.terminal.paste(harmless(text));
  }

  /** Text that is dropped, or that a touch keyboard inserts from its clipboard, is pasted. */
  private inserted(event: InputEvent): void {
    const text = event.data ?? event.dataTransfer?.getData('text/plain');
    if (text === undefined) return;
    const isPasted = event.inputType === 'insertFromPaste' || event.inputType === 'insertFromDrop';
    if (isPasted || (event.inputType === 'insertText' && harmless(text) !== text)) this.paste(event, text);
  }

  /** After an error: unless something is drawn from now on, xterm.js draws nothing any more. */
  private checkDrawing(): void {
    const { terminal, drawn } = this;
    if (this.undrawn === 0) return;
    setTimeout(() => {
      if (this.terminal === terminal && this.drawn === drawn && this.undrawn > 0) this.renew();
    }, DEAD_AFTER_MS);
  }

  private fitSoon(): void {
    if (this.framePending) return;
    this.framePending = true;
    requestAnimationFrame(() => {
      this.framePending = false;
      // A foreign size moves scroll bars and the status bar: that is no resized window.
      const window = `${innerWidth}x${innerHeight}`;
      if (this.foreign && window === this.fittedWindow) return;
      this.fittedWindow = window;
      if (!this.isSizeFixed) this.fit();
    });
  }

  /** The size that fits this window; `null` while the page is not laid out. */
  private fitting(): Size | null {
    const proposed = this.fitAddon.proposeDimensions();
    if (proposed === undefined || !(proposed.cols > 0 && proposed.rows > 0)) return null;
    return { cols: Math.min(proposed.cols, this.limits.cols), rows: Math.min(proposed.rows, this.limits.rows) };
  }

  private setForeign(foreign: boolean): void {
    if (foreign === this.foreign) return;
    this.foreign = foreign;
    this.parent.classList.toggle('foreign', foreign);
    this.events.resized();
  }

  private resizeTo({ cols, rows }: Size): void {
    if (cols !== this.terminal.cols || rows !== this.terminal.rows) this.terminal.resize(cols, rows);
  }

  /** False if the terminal must not handle the key. */
  private shortcut(event: KeyboardEvent): boolean {
    const shifted = event.ctrlKey && event.shiftKey && !event.altKey && !event.metaKey;
    if (shifted && event.code === 'Space') {
      event.preventDefault();
      if (event.type === 'keydown') this.events.menuRequested();
      return false;
    }
    if ((shifted && event.code === 'KeyC') || (event.ctrlKey && !event.shiftKey && event.code === 'Insert')) {
      event.preventDefault();
      if (event.type === 'keydown') this.copy();
      return false;
    }
    // The browser pastes without a permission to read the clipboard.
    return !(shifted && event.code === 'KeyV');
  }

  /** Copies the selection, which remains. */
  private copy(): void {
    const selection = this.terminal.getSelection();
    if (selection === '') return;
    // Only secure contexts have a clipboard API; elsewhere xterm.js handles the browser's copy command.
    if (navigator.clipboard === undefined) document.execCommand('copy');
    else void navigator.clipboard.writeText(selection).catch(() => document.execCommand('copy'));
  }
}

/**
 * Whether a person caused this input, or the terminal answers a program.
 *
 * xterm.js answers while it parses output, which is never inside an event of the user interface, and every answer begins
 * with ESC. Compositions arrive after their event and never begin with it. Focus and a moving pointer are no input of a
 * person, although programs may ask for them.
 */
function originOf(data: string): Origin {
  const { event } = window;
  const isInput = event instanceof UIEvent && !(event instanceof FocusEvent) && event.type !== 'mousemove';
  return isInput || event instanceof ClipboardEvent || !data.startsWith('\x1b') ? 'user' : 'unknown';
}

/** Names of WebGL renderers that use no graphics processor. */
const SOFTWARE = /swiftshader|llvmpipe|softpipe|software|basic render/i;

/**
 * Whether a graphics processor draws WebGL. In software it takes up to ten times as long as the DOM renderer: 7 MB of
 * text in 23 s instead of 2.3 s (Chromium with SwiftShader, 2 cores).
 */
function hasHardwareWebgl(): boolean {
  const context = document.createElement('canvas').getContext('webgl2', { failIfMajorPerformanceCaveat: true });
  if (context === null) return false;
  const names = context.getExtension('WEBGL_debug_renderer_info');
  const renderer = String(context.getParameter(names?.UNMASKED_RENDERER_WEBGL ?? context.RENDERER));
  // xterm.js creates its own context, and browsers limit their number.
  context.getExtension('WEBGL_lose_context')?.loseContext();
  return !SOFTWARE.test(renderer);
}
