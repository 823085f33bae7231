"""The protocols of other web terminals that the server speaks too, both directions. No I/O."""
