"""Arithmetic on arrays of numbers: pure, reproducible, and ignorant of benchmarks.

Randomness comes in as a numpy ``Generator``; nothing here reads a clock, a file or a setting. Where a sample is too
thin for an answer, the answer is a ``TooThin`` that says how many more values are needed, never a guess.
"""
