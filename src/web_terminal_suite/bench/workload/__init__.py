"""What benchmarks and loads do to a terminal: sessions, typists, streams, floods, teardown."""
