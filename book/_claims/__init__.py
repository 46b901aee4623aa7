"""The ledger of claims: its rows, the figure of each, and the numbers a chapter may not type."""
