import json
import sys

from openai import OpenAI
from pydantic import BaseModel


class Dog(BaseModel):
    name: str
    age: int


TOOL = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather in a city",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    },
    "strict": True,
}
responses = OpenAI().responses
question = "What is the capital of Peru?"

match sys.argv[1]:
    case "plain":
        print(responses.create(model="gpt-oss", input=question).output_text)
    case "stream":
        for event in responses.create(model="gpt-oss", input=question, stream=True):
            if event.type == "response.output_text.delta":
                print(event.delta, end="")
    case "tools":
        items = [{"role": "user", "content": "What is the weather in Oslo?"}]
        response = responses.create(model="gpt-oss", input=items, tools=[TOOL])
        call = next(item for item in response.output if item.type == "function_call")
        result = f"Sunny in {json.loads(call.arguments)['city']}"
        items += [
            *response.output,
            {"type": "function_call_output", "call_id": call.call_id, "output": result},
        ]
        print(responses.create(model="gpt-oss", input=items, tools=[TOOL]).output_text)
    case "structured":
        dog = responses.parse(model="gpt-oss", input="Invent a dog", text_format=Dog).output_parsed
        print(dog.name, dog.age)
    case "reasoning":
        response = responses.create(model="gpt-oss", input=question, reasoning={"summary": "auto"})
        print(response.output[0].summary[0].text)
