"""Reports on the terminal: aligned tables, with colour where the output has it."""
