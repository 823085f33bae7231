/**
 * The user's settings, kept in local storage, which may be missing, forbidden or corrupt.
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

/** Settings from stored text; invalid fields get their defaults. */
export function parseSettings(stored: string | null): Settings {
  let value: unknown;
  try {
    value = JSON.parse(stored ?? '{}');
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
    // The page may not be allowed to use storage at all.
    return DEFAULTS;
  }
}

export function saveSettings(settings: Settings): void {
  try {
    localStorage.setItem(KEY, JSON.stringify(settings));
  } catch {
    // Forbidden or full: the settings are valid for this page only.
  }
}
