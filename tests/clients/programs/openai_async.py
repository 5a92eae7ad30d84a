import asyncio
import json
import sys

from openai import AsyncOpenAI, pydantic_function_tool
from pydantic import BaseModel


class Dog(BaseModel):
    name: str
    age: int


class get_weather(BaseModel):
    "The weather in a city"

    city: str


async def main(case: str) -> None:
    completions = AsyncOpenAI().chat.completions
    question = {"model": "gpt-oss", "messages": [{"role": "user", "content": "What is the capital of Peru?"}]}
    match case:
        case "plain":
            print((await completions.create(**question)).choices[0].message.content)
        case "stream" | "reasoning":
            async with completions.stream(**question) as stream:
                async for event in stream:
                    if event.type == "chunk" and event.chunk.choices:
                        delta = event.chunk.choices[0].delta
                        text = delta.content if case == "stream" else getattr(delta, "reasoning", None)
                        print(text or "", end="")
        case "tools":
            tools = [pydantic_function_tool(get_weather)]
            messages = [{"role": "user", "content": "What is the weather in Oslo?"}]
            completion = await completions.parse(model="gpt-oss", messages=messages, tools=tools)
            message = completion.choices[0].message
            call = message.tool_calls[0]
            result = f"Sunny in {call.function.parsed_arguments.city}"
            messages += [
                message.model_dump(exclude_none=True),
                {"role": "tool", "tool_call_id": call.id, "content": json.dumps(result)},
            ]
            completion = await completions.create(model="gpt-oss", messages=messages, tools=tools)
            print(completion.choices[0].message.content)
        case "structured":
            async with completions.stream(
                model="gpt-oss", messages=[{"role": "user", "content": "Invent a dog"}], response_format=Dog
            ) as stream:
                dog = (await stream.get_final_completion()).choices[0].message.parsed
                print(dog.name, dog.age)


asyncio.run(main(sys.argv[1]))
