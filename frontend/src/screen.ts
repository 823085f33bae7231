/**
 * xterm.js as this page uses it: its add-ons, its size, its clipboard. Knows nothing of connections.
 */

import { FitAddon } from '@xterm/addon-fit';
import { UnicodeGraphemesAddon } from '@xterm/addon-unicode-graphemes';
import { WebLinksAddon } from '@xterm/addon-web-links';
import { WebglAddon } from '@xterm/addon-webgl';
import { Terminal } from '@xterm/xterm';

import type { Screen as ConnectionScreen, Size } from './connection';
import type { Origin } from './outbox';
import type { Settings } from './settings';
import { DARK, LIGHT } from './themes';

const FONTS = "ui-monospace, 'SF Mono', 'Cascadia Mono', 'JetBrains Mono', Menlo, Consolas, 'DejaVu Sans Mono', 'Liberation Mono', monospace";
const SCROLLBACK_LINES = 10_000;
/**
 * Colours that a program combined itself are moved until they can be read. Programs choose for a dark ground, so
 * on a light one it is all of WCAG 2.2, 1.4.3; on a dark one only what would vanish.
 */
const CONTRAST = { light: 4.5, dark: 2.5 } as const;

/** What a person does in the terminal. */
export interface ScreenEvents {
  typed(data: string, origin: Origin): void;
  typedBinary(data: string, origin: Origin): void;
  resized(): void;
  titled(title: string): void;
  menuWanted(): void;
}

export class Screen implements ConnectionScreen {
  renderer: 'webgl' | 'dom' = 'dom';
  /** Whether the size was set elsewhere. */
  foreign = false;
  /** The largest size the server takes. */
  limits: Size = { cols: 500, rows: 200 };
  private readonly terminal: Terminal;
  private readonly fitAddon = new FitAddon();
  private readonly dark = matchMedia('(prefers-color-scheme: dark)');
  private settings: Settings;
  private framePending = false;
  private kept = false;
  private keyed = false;

  constructor(
    private readonly parent: HTMLElement,
    settings: Settings,
    private readonly events: ScreenEvents,
  ) {
    this.settings = settings;
    this.terminal = new Terminal({
      allowProposedApi: true,
      cursorBlink: !matchMedia('(prefers-reduced-motion: reduce)').matches,
      fontFamily: FONTS,
      fontSize: settings.fontSize,
      lineHeight: 1.15,
      macOptionClickForcesSelection: true,
      scrollback: SCROLLBACK_LINES,
    });
    this.apply(settings);
    this.terminal.open(parent);
    this.loadAddons();
    // Before anybody listens: the first size is no change.
    this.fit();
    this.listen();
  }

  get size(): Size {
    return { cols: this.terminal.cols, rows: this.terminal.rows };
  }

  write(data: Uint8Array | string, drawn: () => void): void {
    this.terminal.write(data, drawn);
  }

  focus(): void {
    this.terminal.focus();
  }

  /** Take the size of this window. */
  fit(): void {
    this.become(false);
    const proposed = this.fitAddon.proposeDimensions();
    // Undefined or NaN while the page is not laid out.
    if (proposed === undefined || !(proposed.cols > 0 && proposed.rows > 0)) return;
    this.resizeTo({ cols: Math.min(proposed.cols, this.limits.cols), rows: Math.min(proposed.rows, this.limits.rows) });
  }

  /** Take a size that was set elsewhere: until this window changes, or for good where `keep`. */
  adopt(size: Size, keep: boolean): void {
    this.kept = keep;
    if (!keep && size.cols === this.terminal.cols && size.rows === this.terminal.rows) return;
    this.resizeTo(size);
    this.become(true);
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
    if (changesFont && !this.kept) this.fit();
  }

  /** Everything in the buffer that is shown, scrollback included; a wrapped line is one line. */
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

  private loadAddons(): void {
    this.terminal.loadAddon(this.fitAddon);
    this.terminal.loadAddon(
      new WebLinksAddon((_event, address) => {
        window.open(address, '_blank', 'noopener,noreferrer');
      }),
    );
    this.terminal.loadAddon(new UnicodeGraphemesAddon());
    // Widths of Unicode 15 a code point at a time, as shells and editors count; joined clusters would move their cursor.
    this.terminal.unicode.activeVersion = '15';
    this.loadWebgl();
  }

  private loadWebgl(): void {
    if (!drawsInHardware()) return;
    try {
      const webgl = new WebglAddon();
      webgl.onContextLoss(() => {
        webgl.dispose();
        this.renderer = 'dom';
      });
      this.terminal.loadAddon(webgl);
      this.renderer = 'webgl';
    } catch {
      // No WebGL 2 here; xterm goes on drawing with elements.
      this.renderer = 'dom';
    }
  }

  private listen(): void {
    const { terminal, events } = this;
    // A key comes before its data; an answer to a program's query comes without a key.
    terminal.onKey(() => {
      this.keyed = true;
    });
    const origin = (): Origin => {
      const keyed = this.keyed;
      this.keyed = false;
      return keyed ? 'person' : 'unknown';
    };
    terminal.onData((data) => events.typed(data, origin()));
    terminal.onBinary((data) => events.typedBinary(data, origin()));
    terminal.onResize(() => events.resized());
    terminal.onTitleChange((title) => events.titled(title));
    terminal.attachCustomKeyEventHandler((event) => this.shortcut(event));
    new ResizeObserver(() => this.fitSoon()).observe(this.parent);
    this.dark.addEventListener('change', () => this.apply(this.settings));
  }

  private fitSoon(): void {
    if (this.framePending) return;
    this.framePending = true;
    requestAnimationFrame(() => {
      this.framePending = false;
      if (!this.kept) this.fit();
    });
  }

  private become(foreign: boolean): void {
    if (foreign === this.foreign) return;
    this.foreign = foreign;
    this.parent.classList.toggle('foreign', foreign);
    this.events.resized();
  }

  private resizeTo({ cols, rows }: Size): void {
    if (cols !== this.terminal.cols || rows !== this.terminal.rows) this.terminal.resize(cols, rows);
  }

  /** False where the terminal must not see the key. */
  private shortcut(event: KeyboardEvent): boolean {
    const shifted = event.ctrlKey && event.shiftKey && !event.altKey && !event.metaKey;
    if (shifted && event.code === 'Space') {
      event.preventDefault();
      if (event.type === 'keydown') this.events.menuWanted();
      return false;
    }
    if ((shifted && event.code === 'KeyC') || (event.ctrlKey && !event.shiftKey && event.code === 'Insert')) {
      event.preventDefault();
      if (event.type === 'keydown') this.copy();
      return false;
    }
    // The browser pastes by itself, which needs no permission to read the clipboard.
    return !(shifted && event.code === 'KeyV');
  }

  /** Copy what is selected, which stays selected. */
  private copy(): void {
    const selection = this.terminal.getSelection();
    if (selection === '') return;
    // Only secure contexts have a clipboard; elsewhere xterm answers the browser's own copy command.
    if (navigator.clipboard === undefined) document.execCommand('copy');
    else void navigator.clipboard.writeText(selection).catch(() => document.execCommand('copy'));
  }
}

/** Names under which browsers draw WebGL without a graphics processor. */
const SOFTWARE = /swiftshader|llvmpipe|softpipe|software|basic render/i;

/**
 * Whether WebGL is drawn by a graphics processor. In software it is there as well, and takes up to ten times as long
 * as elements do: 7 MB of text in 23 s against 2.3 s (Chromium with SwiftShader, 2 cores).
 */
function drawsInHardware(): boolean {
  const context = document.createElement('canvas').getContext('webgl2', { failIfMajorPerformanceCaveat: true });
  if (context === null) return false;
  const names = context.getExtension('WEBGL_debug_renderer_info');
  const renderer = String(context.getParameter(names?.UNMASKED_RENDERER_WEBGL ?? context.RENDERER));
  // The terminal makes a context of its own, and browsers allow few.
  context.getExtension('WEBGL_lose_context')?.loseContext();
  return !SOFTWARE.test(renderer);
}
