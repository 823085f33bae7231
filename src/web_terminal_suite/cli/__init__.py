"""The command ``web-terminal``: flags to values, one file a subcommand."""
