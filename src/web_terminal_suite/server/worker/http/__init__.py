"""REST, metrics and the page over HTTP."""
