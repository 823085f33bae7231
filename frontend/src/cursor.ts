/**
 * A cursor that blinks by two changes of a class, and only for a while after it moved.
 *
 * xterm.js's DOM renderer blinks by a CSS animation without end, for which the browser draws 60 frames a second, and
 * messages of a WebSocket wait behind them. `style.css` turns that animation off and hides the cursor by `HIDDEN_CLASS`.
 * The WebGL renderer blinks by itself, and ignores both.
 */

/** As long shown as hidden. With what the status bar shows every few seconds, it makes less than two frames a second. */
export const PHASE_MS = 700;
/** Blinks for this long after the last key or movement, as VTE and GTK do; then the cursor stays. */
export const BLINKING_MS = 10_000;

const HIDDEN_CLASS = 'cursor-hidden';

export class CursorBlink {
  private readonly stillness = matchMedia('(prefers-reduced-motion: reduce)');
  private timer: ReturnType<typeof setTimeout> | undefined;
  private phasesLeft = 0;

  constructor(private readonly parent: HTMLElement) {}

  /** Shows the cursor, which blinks from now on. */
  restart(): void {
    clearTimeout(this.timer);
    // Output moves the cursor often, and a class that is set changes a style even where it is the same.
    if (this.parent.classList.contains(HIDDEN_CLASS)) this.parent.classList.remove(HIDDEN_CLASS);
    if (this.stillness.matches) return;
    this.phasesLeft = 2 * Math.round(BLINKING_MS / PHASE_MS / 2);
    this.timer = setTimeout(() => this.toggle(), PHASE_MS);
  }

  private toggle(): void {
    this.parent.classList.toggle(HIDDEN_CLASS);
    this.phasesLeft -= 1;
    if (this.phasesLeft > 0) this.timer = setTimeout(() => this.toggle(), PHASE_MS);
  }
}
