/** Pictures of the screen around one slow operation, in order of time. */

import { colourOf } from './appearance';
import type { ScreenStrip } from './data';
import { h } from './dom';

export function filmstrip(strip: ScreenStrip): HTMLElement {
  const frames = strip.frames.map(({ words, jpeg }) =>
    h(
      'li',
      {},
      h('img', { src: `data:image/jpeg;base64,${jpeg}`, width: strip.width, height: strip.height, alt: `The screen ${words}`, loading: 'lazy' }),
      h('span', {}, words),
    ),
  );
  return h(
    'figure',
    { class: 'filmstrip' },
    h('figcaption', {}, h('span', { class: `terminal ${colourOf(strip.terminal)}` }, strip.words)),
    h('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': `Frames of ${strip.words}` }, h('ol', {}, ...frames)),
  );
}
