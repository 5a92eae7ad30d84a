"Ollama as an engine: it completes raw text."
