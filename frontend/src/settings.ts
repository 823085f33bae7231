/**
 * How this browser likes its terminal. Kept in local storage, where it may be missing, forbidden or spoilt.
 */

export type ThemeChoice = 'auto' | 'light' | 'dark';

export interface Settings {
  readonly theme: ThemeChoice;
  /** CSS pixels. */
  readonly fontSize: number;
  readonly screenReader: boolean;
}

export const FONT_SIZES = { smallest: 8, largest: 32 } as const;
export const DEFAULTS: Settings = { theme: 'auto', fontSize: 14, screenReader: false };
const KEY = 'web-terminal';

/** Settings from what was kept; whatever does not fit is replaced by its default. */
export function parseSettings(kept: string | null): Settings {
  let value: unknown;
  try {
    value = JSON.parse(kept ?? '{}');
  } catch {
    value = {};
  }
  const { theme, fontSize, screenReader } = (value ?? {}) as Record<string, unknown>;
  return {
    theme: theme === 'light' || theme === 'dark' ? theme : DEFAULTS.theme,
    fontSize: typeof fontSize === 'number' ? fittingFontSize(fontSize) : DEFAULTS.fontSize,
    screenReader: screenReader === true,
  };
}

export function fittingFontSize(size: number): number {
  if (!Number.isFinite(size)) return DEFAULTS.fontSize;
  return Math.min(FONT_SIZES.largest, Math.max(FONT_SIZES.smallest, Math.round(size)));
}

export function loadSettings(): Settings {
  try {
    return parseSettings(localStorage.getItem(KEY));
  } catch {
    // Storage may be forbidden to this page altogether.
    return DEFAULTS;
  }
}

export function saveSettings(settings: Settings): void {
  try {
    localStorage.setItem(KEY, JSON.stringify(settings));
  } catch {
    // Forbidden or full: the settings hold for this page only.
  }
}
