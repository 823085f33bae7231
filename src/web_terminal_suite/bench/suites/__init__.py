"""The benchmarks, one module a suite. What each measures is defined in ``docs/benchmarks.md``."""
