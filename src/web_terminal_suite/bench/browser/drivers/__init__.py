"""How each terminal's own page is opened, logged in, focused and known to be ready; one file each."""
