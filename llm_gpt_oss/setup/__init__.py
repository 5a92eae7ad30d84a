"Sets up a machine for gpt-oss: installs Ollama, starts it, and downloads a model."
