"""The sections of the page of a search: a module for each, whose `section` makes it."""
