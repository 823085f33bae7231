"""The data that the page of a report is given: text as it is printed, arrays as they are drawn.

``frontend/report/src/data.ts`` is generated from these classes by ``html.typescript``. The page computes nothing: it
lays out what is here. This package knows neither records nor statistics.
"""
