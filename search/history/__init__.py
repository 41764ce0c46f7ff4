"""What happened: the ledger, its events, the record folded from them, tables, and how a search is loaded."""
