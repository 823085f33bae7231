"""The HTML report: what its page is given, computed from a run, and the file it is given in."""
