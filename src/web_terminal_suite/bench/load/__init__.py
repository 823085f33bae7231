"""Open-loop load on a web terminal: sessions arrive at a rate and do what a scenario says, from several processes.

``scenario`` and ``schedule`` decide what happens when, from a seed; ``shard`` does one process' part of it; the
``conductor`` gives the word to shards (processes here, ``local``, or over Dask, ``cluster``) and collects; ``record``
makes of it a run that ``report``, ``validate``, ``compare`` and ``history`` read.
"""
