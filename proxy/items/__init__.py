"""The items of the Responses API: what clients send and are given, and llm's messages behind them."""
