"""The record of a search: its ledger, events, the state computed from them, tables, and how it is loaded."""
