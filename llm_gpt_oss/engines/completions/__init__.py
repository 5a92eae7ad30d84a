"Servers with OpenAI's completion API, such as vLLM, as an engine."
