"""What several report formats say alike: numbers with units, names, rows, comparisons, the machine."""
