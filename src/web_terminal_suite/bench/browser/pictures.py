"""Where a glyph is first seen, computed by the browser from its own pictures, in a page of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from web_terminal_suite.bench.browser import chromium
from web_terminal_suite.bench.browser.errors import explained
from web_terminal_suite.bench.browser.tab import WAIT_SECONDS
from web_terminal_suite.bench.samples import FilmFrame, Filmstrip

if TYPE_CHECKING:
    from collections.abc import Sequence

    from playwright.async_api import Browser

    from web_terminal_suite.bench.browser.confirmation import Question
    from web_terminal_suite.bench.browser.stamps import KeyStamps
    from web_terminal_suite.bench.browser.trace import Picture, Trace

_DECODE: Final = """async (jpeg) => {
  const bytes = Uint8Array.from(atob(jpeg), (each) => each.charCodeAt(0));
  return createImageBitmap(new Blob([bytes], { type: 'image/jpeg' }));
}"""

# The part of each picture around what differs between the first and one with the glyph.
_CUT: Final = """async ([jpegs, after, width, height]) => {
  const decode = DECODE;
  const bitmaps = await Promise.all(jpegs.map(decode));
  const canvas = new OffscreenCanvas(bitmaps[0].width, bitmaps[0].height);
  const context = canvas.getContext('2d', { willReadFrequently: true });
  const [first, last] = [bitmaps[0], await decode(after)].map((each) => {
    context.drawImage(each, 0, 0);
    return context.getImageData(0, 0, canvas.width, canvas.height).data;
  });
  let [left, top, right, bottom] = [canvas.width, canvas.height, 0, 0];
  for (let at = 0; at < first.length; at += 4) {
    if (Math.abs(first[at] - last[at]) < 40) continue;
    const [x, y] = [(at / 4) % canvas.width, Math.floor(at / 4 / canvas.width)];
    [left, top, right, bottom] = [Math.min(left, x), Math.min(top, y), Math.max(right, x), Math.max(bottom, y)];
  }
  const within = (middle, size, whole) => Math.round(Math.max(0, Math.min(middle - size / 2, whole - size)));
  const [x, y] = [within((left + right) / 2, width, canvas.width), within((top + bottom) / 2, height, canvas.height)];
  const part = new OffscreenCanvas(Math.min(width, canvas.width), Math.min(height, canvas.height));
  const found = [];
  for (const each of bitmaps) {
    part.getContext('2d').drawImage(each, -x, -y);
    const blob = await part.convertToBlob({ type: 'image/jpeg', quality: 0.85 });
    found.push(btoa(String.fromCharCode(...new Uint8Array(await blob.arrayBuffer()))));
  }
  return [part.width, part.height, found];
}""".replace("DECODE", _DECODE)

# A picture has a glyph when most of the pixels that the key changed are nearer to how they are after it than to how
# they were before. A cursor that is shown or hidden meanwhile changes fewer.
_FIND: Final = """async ([jpegs, questions]) => {
  const context = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
  const pixels = [];
  const decode = DECODE;
  for (const jpeg of jpegs) {
    const bitmap = await decode(jpeg);
    context.canvas.width = bitmap.width;
    context.canvas.height = bitmap.height;
    context.drawImage(bitmap, 0, 0);
    const { data } = context.getImageData(0, 0, bitmap.width, bitmap.height);
    const grey = new Int16Array(data.length / 4);
    for (let at = 0; at < grey.length; at++) grey[at] = (data[4 * at] + data[4 * at + 1] + data[4 * at + 2]) / 3;
    pixels.push(grey);
  }
  return questions.map(({ before, during, after }) => {
    const [from, to] = [pixels[before], pixels[after]];
    if (from.length !== to.length) return null;
    const changed = [];
    for (let at = 0; at < from.length; at++) if (Math.abs(from[at] - to[at]) > 40) changed.push(at);
    if (changed.length < 3) return null;
    for (const place of during) {
      const seen = pixels[place];
      if (seen.length !== to.length) continue;
      const alike = changed.filter((at) => Math.abs(seen[at] - to[at]) < Math.abs(seen[at] - from[at])).length;
      if (alike >= 0.8 * changed.length) return place;
    }
    return null;
  });
}""".replace("DECODE", _DECODE)

_STRIP_SIZE: Final = (160, 60)
"""Of a filmstrip's pictures, in pixels of the trace's, which are smaller than the page."""
_MOST_FRAMES: Final = 8


async def filmstrip(browser: Browser, trace: Trace, stamp: KeyStamps, question: Question, place: int) -> Filmstrip:
    """The pictures from the last before the key to the first with its glyph, cut to what the key changed.

    Args:
        place: of the picture that has the glyph.

    Raises:
        TimedOut, PageFailed
    """
    shown = {each.sequence: each.presented_ns for each in trace.frames}
    without = [question.before, *(each for each in question.during if each < place)][: _MOST_FRAMES - 1]
    pictures = [trace.pictures[each] for each in (*without, place)]
    after = trace.pictures[question.after].jpeg
    with explained("filmstrip cut", WAIT_SECONDS):
        async with chromium.scratch_page(browser) as page:
            width, height, jpegs = await page.evaluate(_CUT, [[each.jpeg for each in pictures], after, *_STRIP_SIZE])
    frames = tuple(
        FilmFrame(shown.get(each.sequence, each.captured_ns) - stamp.pressed_ns, jpeg)
        for each, jpeg in zip(pictures, jpegs, strict=True)
    )
    return Filmstrip(latency_ns=stamp.presented_ns - stamp.pressed_ns, frames=frames, width=width, height=height)


async def first_with_glyph(
    browser: Browser, pictures: Sequence[Picture], questions: Sequence[Question]
) -> list[tuple[Question, int | None]]:
    """For each question the place of the first picture that has the key's glyph.

    Raises:
        TimedOut, PageFailed
    """
    if not questions:
        return []
    asked = [{"before": each.before, "during": list(each.during), "after": each.after} for each in questions]
    with explained("pictures read", WAIT_SECONDS):
        async with chromium.scratch_page(browser) as page:
            found = await page.evaluate(_FIND, [[each.jpeg for each in pictures], asked])
    return list(zip(questions, found, strict=True))
