"Ollama, asked to complete raw text."
