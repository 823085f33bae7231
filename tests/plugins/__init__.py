"""What this project's tests add to pytest."""
