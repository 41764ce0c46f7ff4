"""The kinds of bad input that hypothesis makes up; each is a function that returns a strategy and its test."""
