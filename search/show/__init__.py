"""A search for people at a terminal."""
