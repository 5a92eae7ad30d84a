"What a fresh machine needs before gpt-oss answers: Ollama there, running, the model pulled and warm."
