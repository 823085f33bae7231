"""One dialect a file: the protocol of each kind of server. No I/O."""
