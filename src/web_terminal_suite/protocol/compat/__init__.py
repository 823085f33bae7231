"""The protocols of other web terminals that the server also implements, in both directions. No I/O."""
