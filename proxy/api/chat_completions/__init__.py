"""`/v1/chat/completions`, and the completions that it stores."""
