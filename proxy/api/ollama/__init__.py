"""`/api/*`: Ollama's own API, passed through byte for byte for clients that speak it; chats are logged."""
