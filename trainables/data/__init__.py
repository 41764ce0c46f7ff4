"""Images from disk to two arrays: formats, decoding, cache, split, download."""
