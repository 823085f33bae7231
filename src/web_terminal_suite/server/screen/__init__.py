"""What a terminal shows: the part of it that page and server must agree on."""
