"""The copy of a search's record in a storage, from which another machine can continue."""
