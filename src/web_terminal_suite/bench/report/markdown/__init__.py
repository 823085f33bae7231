"""Reports in Markdown: the performance report of a run, and the comparison of its terminals."""
