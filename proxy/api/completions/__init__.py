"""`/v1/completions`, the older API that continues or answers a prompt."""
