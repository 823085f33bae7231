"""What was found, formatted: one exporter a file. Nothing is computed here that the analysis did not."""
