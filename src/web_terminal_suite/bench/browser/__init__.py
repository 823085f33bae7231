"""Suite ``browser``: what a person sees, in a real Chromium on a terminal's own page.

Keys go in through the browser's own input path, and every moment is read from the browser's own trace: nothing is put
into the page. ``stamps``, ``trace`` and ``confirmation`` are pure; ``chromium``, ``tab`` and ``pictures`` drive the
browser; ``drivers`` know each terminal's page. Needs the extra ``browser``, imported when a browser is started.
"""
