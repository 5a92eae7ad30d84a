"""The engine `transformers`: Hugging Face Transformers in this process, with the original weights."""
