"""The record's second home, from which another machine can go on."""
