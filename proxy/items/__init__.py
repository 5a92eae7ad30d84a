"""Items of the Responses API: parsing them into llm's messages, and rendering messages as items."""
