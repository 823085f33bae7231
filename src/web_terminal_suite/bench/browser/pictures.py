"""Where a glyph is first seen, computed by the browser from its own pictures, in a page of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from web_terminal_suite.bench.browser import chromium
from web_terminal_suite.bench.browser.errors import explained
from web_terminal_suite.bench.browser.tab import WAIT_SECONDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from playwright.async_api import Browser

    from web_terminal_suite.bench.browser.confirmation import Question
    from web_terminal_suite.bench.browser.trace import Picture

# A picture has a glyph when most of the pixels that the key changed are nearer to how they are after it than to how
# they were before. A cursor that is shown or hidden meanwhile changes fewer.
_FIND: Final = """async ([jpegs, questions]) => {
  const context = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
  const pixels = [];
  for (const jpeg of jpegs) {
    const bytes = Uint8Array.from(atob(jpeg), (each) => each.charCodeAt(0));
    const bitmap = await createImageBitmap(new Blob([bytes], { type: 'image/jpeg' }));
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
}"""


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
