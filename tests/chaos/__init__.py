"""Long tests with faults, run by hand or by ``make chaos``."""
