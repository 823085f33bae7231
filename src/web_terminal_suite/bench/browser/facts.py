"""What the browser of a run is, as the record keeps it: figures of two different browsers are not alike."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from web_terminal_suite.bench.browser.errors import explained
from web_terminal_suite.bench.browser.tab import DEVICE_SCALE, VIEWPORT, WAIT_SECONDS

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

LIMITED: Final = "60 frames a second"
UNLIMITED: Final = "none"

# Callbacks of animation frames in a page that changes with each.
_COUNT_FRAMES: Final = """() => new Promise((resolve) => {
  const began = performance.now();
  let frames = 0;
  const next = (now) => {
    frames += 1;
    document.body.textContent = frames;
    if (now - began < 400) requestAnimationFrame(next);
    else resolve((frames - 1) / ((now - began) / 1000));
  };
  requestAnimationFrame(next);
})"""

# A canvas is asked for the context that it has already: asked for another kind it answers null and stays as it is.
_RENDERER: Final = """() => {
  if (document.querySelector('.xterm') === null) return 'no xterm.js';
  if (document.querySelector('.xterm-rows') !== null) return 'DOM';
  const canvases = [...document.querySelectorAll('.xterm-screen canvas:not(.xterm-link-layer)')];
  if (canvases.some((each) => each.getContext('webgl2') !== null)) return 'WebGL';
  return canvases.length > 0 ? 'canvas' : 'unknown';
}"""

_FEATURES: Final = ("gpu_compositing", "rasterization", "webgl")


@dataclass
class BrowserFacts:
    """The browser, what draws for it, and how each page draws; filled while the run goes on."""

    browser: str = ""
    version: str = ""
    gpu: str = ""
    """The renderer as its driver names it, such as SwiftShader where software draws."""
    features: dict[str, str] = field(default_factory=dict)
    """Of ``chrome://gpu``: which part of drawing a graphics processor does."""
    frame_limits: list[str] = field(default_factory=list)
    frames_per_second: dict[str, float] = field(default_factory=dict)
    """As measured, by frame limit."""
    renderers: dict[str, str] = field(default_factory=dict)
    """How the page of each terminal draws: ``DOM``, ``WebGL``, ``canvas``; by the terminal's name."""

    async def read(self, browser: Browser, unlimited: bool) -> None:
        """Note what a browser that was started says of itself.

        Raises:
            TimedOut, PageFailed
        """
        limit = UNLIMITED if unlimited else LIMITED
        with explained("facts of the browser", WAIT_SECONDS):
            session = await browser.new_browser_cdp_session()
            found = await session.send("SystemInfo.getInfo")
            await session.detach()
            page = await browser.new_page()
            self.frames_per_second[limit] = round(float(await page.evaluate(_COUNT_FRAMES)), 1)
            await page.close()
        gpu = found["gpu"]
        self.browser = str(browser.browser_type.name)
        self.version = browser.version
        self.gpu = str(gpu.get("auxAttributes", {}).get("glRenderer", ""))
        features = gpu.get("featureStatus", {})
        self.features = {name: str(features[name]) for name in _FEATURES if name in features}
        if limit not in self.frame_limits:
            self.frame_limits.append(limit)

    def plain(self) -> dict[str, Any]:
        """For the record, as plain values; empty where no browser was started."""
        if not self.version:
            return {}
        return {
            "name": self.browser,
            "version": self.version,
            "viewport": list(VIEWPORT),
            "device_scale": DEVICE_SCALE,
            "frame_limits": list(self.frame_limits),
            "frames_per_second": dict(self.frames_per_second),
            "gpu": self.gpu,
            "features": dict(self.features),
            "renderers": dict(sorted(self.renderers.items())),
        }


async def renderer_of(page: Page) -> str:
    """How an xterm.js on the page draws; a frame within the page that has one counts.

    Raises:
        playwright.async_api.Error
    """
    found = [str(await each.evaluate(_RENDERER)) for each in page.frames]
    return next((each for each in found if each != "no xterm.js"), "no xterm.js")
