"""The harmony format: prompts are rendered to text here, and the model's text is parsed here.

Nothing in this folder knows llm or HTTP.
"""
