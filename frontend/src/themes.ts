/**
 * The terminal's colours, dark and light. Every text colour has a contrast of at least 4.5 to 1 with the background
 * (WCAG 2.2, 1.4.3), except the two that stand for the background itself; `tests/themes.test.ts` checks it.
 */

import type { ITheme } from '@xterm/xterm';

export const DARK = {
  background: '#0f1318',
  foreground: '#dfe4ea',
  cursor: '#5fd19a',
  cursorAccent: '#0f1318',
  selectionBackground: '#34506f',
  selectionInactiveBackground: '#2a333e',
  scrollbarSliderBackground: '#93a0af40',
  scrollbarSliderHoverBackground: '#93a0af80',
  scrollbarSliderActiveBackground: '#93a0afa0',
  black: '#222a33',
  red: '#f27d7d',
  green: '#6fcb91',
  yellow: '#dfb662',
  blue: '#74abf2',
  magenta: '#c996ea',
  cyan: '#62c6cf',
  white: '#cfd6dd',
  brightBlack: '#8592a1',
  brightRed: '#ff9d9d',
  brightGreen: '#93e3b0',
  brightYellow: '#f5d384',
  brightBlue: '#9dc6ff',
  brightMagenta: '#deb8f7',
  brightCyan: '#8fe2e9',
  brightWhite: '#f6f8fa',
} as const satisfies ITheme;

export const LIGHT = {
  background: '#fdfdfc',
  foreground: '#1c2127',
  cursor: '#18794e',
  cursorAccent: '#fdfdfc',
  selectionBackground: '#bcd7f7',
  selectionInactiveBackground: '#dde1e5',
  scrollbarSliderBackground: '#59636e33',
  scrollbarSliderHoverBackground: '#59636e66',
  scrollbarSliderActiveBackground: '#59636e88',
  black: '#1c2127',
  red: '#b4232a',
  green: '#1a7037',
  yellow: '#7d5800',
  blue: '#0b5cbd',
  magenta: '#86349c',
  cyan: '#0c6a76',
  white: '#66707b',
  brightBlack: '#59636e',
  brightRed: '#cd2f35',
  brightGreen: '#217c42',
  brightYellow: '#8a6100',
  brightBlue: '#1768cf',
  brightMagenta: '#9a3fb3',
  brightCyan: '#107683',
  brightWhite: '#4a535d',
} as const satisfies ITheme;
