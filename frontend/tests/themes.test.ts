import { describe, expect, it } from 'vitest';

import { DARK, LIGHT } from '../src/themes';

/** Relative luminance and contrast, WCAG 2.2. */
function luminance(colour: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
    const channel = parseInt(colour.slice(at, at + 2), 16) / 255;
    return channel <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(one: string, other: string): number {
  const [light = 0, dark = 0] = [luminance(one), luminance(other)].sort((a, b) => b - a);
  return (light + 0.05) / (dark + 0.05);
}

const HUES = ['red', 'green', 'yellow', 'blue', 'magenta', 'cyan', 'white'] as const;
const BRIGHT = ['brightBlack', 'brightRed', 'brightGreen', 'brightYellow', 'brightBlue', 'brightMagenta', 'brightCyan', 'brightWhite'] as const;

describe.each([
  ['dark', DARK],
  ['light', LIGHT],
])('%s theme', (_name, theme) => {
  it.each(['foreground', ...HUES, ...BRIGHT] as const)('%s can be read', (colour) => {
    expect(contrast(theme[colour], theme.background)).toBeGreaterThanOrEqual(4.5);
  });

  it('selected text can be read', () => {
    expect(contrast(theme.foreground, theme.selectionBackground)).toBeGreaterThanOrEqual(4.5);
  });
});
