import sys

import anthropic
from pydantic import BaseModel


class Dog(BaseModel):
    name: str
    age: int


client = anthropic.Anthropic()
question = {
    "model": "gpt-oss",
    "max_tokens": 1000,
    "messages": [{"role": "user", "content": "What is the capital of Peru?"}],
}
TOOL = {
    "name": "get_weather",
    "description": "The weather in a city",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}

match sys.argv[1]:
    case "plain":
        print(
            "".join(
                block.text for block in client.messages.create(**question).content if block.type == "text"
            )
        )
    case "stream":
        with client.messages.stream(**question) as stream:
            for text in stream.text_stream:
                print(text, end="")
    case "tools":
        body = {**question, "tools": [TOOL]}
        body["messages"] = [{"role": "user", "content": "What is the weather in Oslo?"}]
        message = client.messages.create(**body)
        call = next(block for block in message.content if block.type == "tool_use")
        result = {"type": "tool_result", "tool_use_id": call.id, "content": f"Sunny in {call.input['city']}"}
        body["messages"] += [
            {"role": "assistant", "content": message.content},
            {"role": "user", "content": [result]},
        ]
        print("".join(block.text for block in client.messages.create(**body).content if block.type == "text"))
    case "structured":
        body = {**question, "messages": [{"role": "user", "content": "Invent a dog"}]}
        dog = client.messages.parse(**body, output_format=Dog).parsed_output
        print(dog.name, dog.age)
    case "reasoning":
        message = client.messages.create(**question, thinking={"type": "enabled", "budget_tokens": 1024})
        print(message.content[0].thinking)
