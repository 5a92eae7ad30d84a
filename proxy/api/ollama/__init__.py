"""`/api/*`, Ollama's own API: requests are forwarded to Ollama unchanged, and chats are logged."""
