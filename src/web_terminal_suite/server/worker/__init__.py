"""A web worker: page, REST and WebSockets on the shared port. Replaceable: what must survive it lives in the host."""
