"Transformers in this process: the weights as OpenAI published them."
