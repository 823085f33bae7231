"""Long tests with faults, of real servers: ``make chaos`` runs all rooms, ``python -m tests.chaos.NAME`` one."""
