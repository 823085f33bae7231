"""The web terminal: real shells on real pseudo-terminals behind one port for page, REST API and WebSocket."""
