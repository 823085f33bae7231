"""Options in groups: what each group is on the command line, and the values that its flags amount to."""
