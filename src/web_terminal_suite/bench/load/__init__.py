"""Load tests of a web terminal: an open arrival rate of virtual users, played by several load generators.

``scenario`` and ``schedule`` decide, from a seed, what happens when. A ``generator`` plays its part of it in a process
of its own; the ``coordinator`` commands all of them over a ``backend`` (local processes, or a Dask cluster) and a
``collector`` keeps what they report. ``record`` turns that into a run that ``report``, ``validate``, ``compare`` and
``history`` read.
"""
