"""The terminals under test, one file each.

A peer is a file with one class derived from ``Terminal`` (what it can do, how it is started and known to be ready) and,
if its protocol is not ours, one derived from ``client.dialect.Dialect``; then a line in ``registry``.
"""
