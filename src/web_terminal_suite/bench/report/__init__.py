"""Reports of a run: on the terminal, as HTML and Markdown, and in the formats of other tools.

Nothing is computed here that the analysis did not compute. What several formats say alike is in ``common``; no format
imports another. ``formats`` lists the reports, ``export`` the exporters.
"""
