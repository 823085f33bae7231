"""Sessions that write without end, read in this process or in a client process."""
