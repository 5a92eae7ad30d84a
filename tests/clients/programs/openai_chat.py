import json
import sys

from openai import OpenAI
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
create = OpenAI().chat.completions.create
question = [{"role": "user", "content": "What is the capital of Peru?"}]

match sys.argv[1]:
    case "plain":
        print(create(model="gpt-oss", messages=question).choices[0].message.content)
    case "stream":
        for chunk in create(model="gpt-oss", messages=question, stream=True):
            print(chunk.choices[0].delta.content or "", end="")
    case "tools":
        messages = [{"role": "user", "content": "What is the weather in Oslo?"}]
        message = create(model="gpt-oss", messages=messages, tools=[TOOL]).choices[0].message
        city = json.loads(message.tool_calls[0].function.arguments)["city"]
        result = {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": f"Sunny in {city}"}
        answer = create(model="gpt-oss", messages=[*messages, message, result], tools=[TOOL])
        print(answer.choices[0].message.content)
    case "structured":
        messages = [{"role": "user", "content": "Invent a dog"}]
        parsed = OpenAI().chat.completions.parse(model="gpt-oss", messages=messages, response_format=Dog)
        dog = parsed.choices[0].message.parsed
        print(dog.name, dog.age)
    case "reasoning":
        print(create(model="gpt-oss", messages=question).choices[0].message.reasoning_content)
