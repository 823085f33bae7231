"""One dialect a file: how each kind of server is spoken to. No I/O."""
