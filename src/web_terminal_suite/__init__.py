"""A web terminal (``server``) and the benchmark suite for web terminals (``bench``)."""

__version__ = "0.1.0"
