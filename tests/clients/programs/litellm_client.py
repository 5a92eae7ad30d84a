import json
import sys

from litellm import completion
from pydantic import BaseModel


class Dog(BaseModel):
    name: str
    age: int


TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
MODEL = "openai/gpt-oss"
question = [{"role": "user", "content": "What is the capital of Peru?"}]

match sys.argv[1]:
    case "plain":
        print(completion(MODEL, question).choices[0].message.content)
    case "stream":
        for chunk in completion(MODEL, question, stream=True):
            print(chunk.choices[0].delta.content or "", end="")
    case "tools":
        messages = [{"role": "user", "content": "What is the weather in Oslo?"}]
        message = completion(MODEL, messages, tools=[TOOL]).choices[0].message
        call = message.tool_calls[0]
        result = f"Sunny in {json.loads(call.function.arguments)['city']}"
        messages += [message, {"role": "tool", "tool_call_id": call.id, "content": result}]
        print(completion(MODEL, messages, tools=[TOOL]).choices[0].message.content)
    case "structured":
        messages = [{"role": "user", "content": "Invent a dog"}]
        dog = Dog.model_validate_json(
            completion(MODEL, messages, response_format=Dog).choices[0].message.content
        )
        print(dog.name, dog.age)
    case "reasoning":
        print(completion(MODEL, question).choices[0].message.reasoning_content)
