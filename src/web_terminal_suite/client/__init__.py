"""A browser without a page: what the tests, the command line and the benchmark suite talk through.

``connection`` is the only place that opens a WebSocket; ``rest`` speaks HTTP; ``dialect`` says what a protocol must
offer and ``native`` is ours. Knows nothing of servers, benchmarks or terminals under test.
"""
