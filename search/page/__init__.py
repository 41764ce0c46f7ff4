"""For people in a browser: a search as one file, and the same page live."""
